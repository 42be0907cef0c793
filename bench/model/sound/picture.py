"""A picture of what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.model.sound.borders import Jumps
from bench.model.sound.figures import TAIL_DBFS, Figures
from bench.model.sound.takes import Sound

_KINDS = ("inside", "hop", "pause", "sentences", "seam")


def draw(
    figures: Sequence[Figures],
    jumps: Mapping[str, Jumps],
    shown: Sequence[Sound],
    machine: Mapping[str, str],
    path: Path,
) -> None:
    """Levels at the ends, loudness by voice, jumps across borders, and spectrograms of some sounds."""
    figure = Figure(figsize=(14, 11 + 2.2 * len(shown)), layout="constrained")
    figure.suptitle(f"Sound of {len(figures)} utterances (measured)\n{machine['processor']}, {machine['commit']}")
    axes = figure.subplots(4 + len(shown), 1, height_ratios=[1.3] * 4 + [1.0] * len(shown))
    _ends(axes[0], figures)
    _loudness(axes[1], figures)
    _jumps(axes[2], {kind: found.f0_hz for kind, found in jumps.items()}, "jump of F0, Hz")
    _jumps(axes[3], {kind: found.level_db for kind, found in jumps.items()}, "jump of level, dB")
    for place, sound in zip(axes[4:], shown, strict=True):
        _spectrogram(place, sound)
    figure.savefig(path, dpi=70)


def _ends(axes: Axes, figures: Sequence[Figures]) -> None:
    bins = [float(level) for level in range(-120, 0, 2)]
    axes.hist([one.first_dbfs for one in figures], bins, alpha=0.6, label="first 60 ms")
    axes.hist([one.last_dbfs for one in figures], bins, alpha=0.6, label="last 60 ms")
    axes.axvline(TAIL_DBFS, color="red", linewidth=1, label="the last should be below")
    axes.set_xlabel("dBFS")
    axes.set_ylabel("utterances")
    axes.legend()


def _loudness(axes: Axes, figures: Sequence[Figures]) -> None:
    voices = sorted({one.voice for one in figures})
    for place, voice in enumerate(voices):
        values = [one.loudness_lufs for one in figures if one.voice == voice and one.loudness_lufs is not None]
        axes.plot(values, [place] * len(values), "|", markersize=14)
    # The names are Chinese, which the font of the pictures does not have.
    axes.set_yticks(range(len(voices)), [f"voice {place + 1}" for place in range(len(voices))])
    axes.set_xlabel("loudness, LUFS")


def _jumps(axes: Axes, jumps: Mapping[str, Sequence[float]], label: str) -> None:
    names = [kind for kind in _KINDS if jumps.get(kind)]
    if names:
        axes.boxplot([jumps[kind] for kind in names], tick_labels=names, orientation="horizontal", whis=(10, 90))
    axes.set_xlabel(label)


def _spectrogram(axes: Axes, sound: Sound) -> None:
    axes.specgram(sound.wave + 1e-7, NFFT=1024, Fs=sound.rate_hz, noverlap=768, vmin=-140, vmax=-30, cmap="magma")
    for at in sound.hop_ends:
        axes.axvline(at / sound.rate_hz, color="white", linewidth=0.4)
    for at in sound.sequence_ends:
        axes.axvline(at / sound.rate_hz, color="cyan", linewidth=1)
    axes.set_ylabel(f"{sound.case.group}, Hz")
