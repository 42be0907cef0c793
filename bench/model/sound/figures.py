"""The figures of a sound, and of many together. Pure but for ffmpeg's measure of loudness."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bench.model.ebur128 import loudness
from bench.model.sound import borders, levels
from bench.model.sound.takes import Sound

# The last 60 ms of an utterance should be softer than this.
TAIL_DBFS = -45.0
# A sequence whose burst begins so early has it at its start.
_START_S = 0.1
# Shorter sound has no loudness (EBU R128).
_LEAST_LOUDNESS_S = 0.5
# The slope of the loudness is that of pieces of this length.
_PIECE_S = 10.0


@dataclass(frozen=True)
class Figures:
    """Of one utterance."""

    name: str
    group: str
    voice: str
    text: str
    speed: float
    mode: str
    seconds: float
    # When isolated bursts begin, and how many of them open a sequence.
    bursts_s: list[float]
    opening_bursts: int
    first_dbfs: float
    last_dbfs: float
    leading_s: float
    trailing_s: float
    # The longest silence inside.
    inner_s: float
    # None for a sound that is too short.
    loudness_lufs: float | None
    true_peak_dbfs: float | None
    # In LU a minute; only of sound of a minute or more.
    loudness_slope: float | None
    # Frequencies of narrow lines in the pauses.
    lines_hz: list[float]
    # Mean of the samples.
    dc: float
    # Samples at the limit.
    clipped: int

    @classmethod
    def of(cls, sound: Sound) -> Figures:
        """Measures a sound."""
        wave, rate_hz = sound.wave, sound.rate_hz
        bursts_s = levels.bursts_s(wave, rate_hz)
        starts_s = [0.0, *(end / rate_hz for end in sound.sequence_ends[:-1])]
        leading_s, inner_s, trailing_s = silences_s(wave, rate_hz)
        loud = loudness(wave, rate_hz) if len(wave) >= _LEAST_LOUDNESS_S * rate_hz else None
        first_dbfs, last_dbfs = levels.edges_dbfs(wave, rate_hz)
        return cls(
            name=sound.case.name,
            group=sound.case.group,
            voice=sound.case.voice,
            text=sound.case.text[:40],
            speed=sound.case.speed,
            mode=sound.case.mode,
            seconds=len(wave) / rate_hz,
            bursts_s=bursts_s,
            opening_bursts=sum(any(0 <= at - start < _START_S for start in starts_s) for at in bursts_s),
            first_dbfs=first_dbfs,
            last_dbfs=last_dbfs,
            leading_s=leading_s,
            trailing_s=trailing_s,
            inner_s=inner_s,
            loudness_lufs=None if loud is None else loud.integrated_lufs,
            true_peak_dbfs=None if loud is None else loud.true_peak_dbfs,
            loudness_slope=slope(wave, rate_hz),
            lines_hz=levels.lines_hz(wave, rate_hz),
            dc=float(np.mean(wave)) if len(wave) else 0.0,
            clipped=levels.clipped(wave),
        )


def silences_s(wave: levels.Wave, rate_hz: int) -> tuple[float, float, float]:
    """The silence at the start, the longest one inside, and the silence at the end."""
    frame = levels.FRAME_MS * rate_hz // 1000
    leading = inner = trailing = 0
    for silence in levels.silences(wave, rate_hz):
        length = silence.end - silence.start
        if silence.end >= len(wave) // frame * frame:
            trailing = length
        elif silence.start == 0:
            leading = length
        else:
            inner = max(inner, length)
    return leading / rate_hz, inner / rate_hz, trailing / rate_hz


def slope(wave: levels.Wave, rate_hz: int) -> float | None:
    """Of the loudness, in LU a minute."""
    length = int(_PIECE_S * rate_hz)
    pieces = [wave[at : at + length] for at in range(0, len(wave) - length + 1, length)]
    if len(pieces) * _PIECE_S < 60:
        return None
    values = [loudness(piece, rate_hz).integrated_lufs for piece in pieces]
    return float(np.polyfit(np.arange(len(values)) * _PIECE_S / 60, values, 1)[0])


def summary(figures: Sequence[Figures], jumps: dict[str, borders.Jumps]) -> dict[str, Any]:
    """Of all sounds together."""
    short = [one for one in figures if one.group == "short"]
    return {
        "utterances": len(figures),
        "seconds": round(sum(one.seconds for one in figures), 1),
        "bursts": sum(len(one.bursts_s) for one in figures),
        "bursts at sequence starts": sum(one.opening_bursts for one in figures),
        "first 60 ms, dBFS": _spread(one.first_dbfs for one in figures),
        "last 60 ms, dBFS": _spread(one.last_dbfs for one in figures),
        "short utterances": len(short),
        "short utterances with a loud end": sum(one.last_dbfs >= TAIL_DBFS for one in short),
        "silence at the start, s": _spread(one.leading_s for one in figures),
        "silence at the end, s": _spread(one.trailing_s for one in figures),
        "longest silence inside, s": _spread(one.inner_s for one in figures),
        "loudness, LUFS": {
            voice: _spread(
                one.loudness_lufs
                for one in figures
                if one.voice == voice and one.loudness_lufs is not None and one.group in ("sentences", "replies")
            )
            for voice in sorted({one.voice for one in figures})
        },
        "loudness by speed less that at speed 1, LU": by_speed(figures),
        "modes": by_mode([one for one in figures if one.group == "modes"]),
        "loudness slope, LU a minute": {
            one.name: round(one.loudness_slope, 2) for one in figures if one.loudness_slope is not None
        },
        "highest true peak, dBFS": max((one.true_peak_dbfs or -120.0 for one in figures), default=-120.0),
        "utterances with lines in pauses": sum(bool(one.lines_hz) for one in figures),
        "largest DC": max((abs(one.dc) for one in figures), default=0.0),
        "clipped samples": sum(one.clipped for one in figures),
        "borders": {kind: found.told() for kind, found in jumps.items()},
    }


def by_speed(figures: Iterable[Figures]) -> dict[str, dict[str, float]]:
    """The mean for each voice and speed, over sentences that were spoken at speed 1 too."""
    loud = {one.name: one.loudness_lufs for one in figures if one.speed == 1.0}
    found: dict[str, dict[str, list[float]]] = {}
    for one in figures:
        plain = loud.get(one.name.partition("-speed-")[0])
        if one.speed != 1.0 and plain is not None and one.loudness_lufs is not None:
            found.setdefault(one.voice, {}).setdefault(str(one.speed), []).append(one.loudness_lufs - plain)
    return {
        voice: {speed: round(float(np.mean(values)), 2) for speed, values in speeds.items()}
        for voice, speeds in found.items()
    }


def by_mode(figures: Iterable[Figures]) -> dict[str, dict[str, Any]]:
    """Bursts, ends and loudness of each mode."""
    modes: dict[str, list[Figures]] = {}
    for one in figures:
        modes.setdefault(one.mode, []).append(one)
    return {
        mode: {
            "utterances": len(some),
            "bursts": sum(len(one.bursts_s) for one in some),
            "loud ends": sum(one.last_dbfs >= TAIL_DBFS for one in some),
            "last 60 ms, dBFS": _spread(one.last_dbfs for one in some),
            "loudness, LUFS": _spread(one.loudness_lufs for one in some if one.loudness_lufs is not None),
            "clipped samples": sum(one.clipped for one in some),
        }
        for mode, some in modes.items()
    }


def told(figures: Iterable[Figures]) -> list[dict[str, Any]]:
    """As JSON."""
    return [
        {name: round(value, 5) if isinstance(value, float) else value for name, value in asdict(one).items()}
        for one in figures
    ]


def _spread(values: Iterable[float]) -> dict[str, float]:
    found = np.array(list(values))
    if not len(found):
        return {}
    percents = {"least": 0, "p10": 10, "median": 50, "p90": 90, "p99": 99, "most": 100}
    return {name: round(float(np.percentile(found, percent)), 3) for name, percent in percents.items()}
