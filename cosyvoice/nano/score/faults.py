"""What goes wrong in a spoken sentence and can be measured: repetition, a cut, a drone, a gap."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from cosyvoice.nano.score.speaking import SAMPLE_RATE
from cosyvoice.voice.features import MEL_HOP, mel_24k

_FRAME = MEL_HOP  # 20 ms
_FRAME_S = _FRAME / SAMPLE_RATE
_QUIET = 0.02  # of the loudest frames
_EDGE_FRAMES = 2
_LOUD_END = 0.35
_STEADY = 0.25  # mean difference of log-mel, over the time a phoneme takes at least
_APART = 3  # frames

# Letters of which this many are wrong are another sentence; a recogniser is unsure of single words.
MOST_ERROR, MOST_ERROR_SHORT = 0.25, 0.6
MOST_SILENCE_S, MOST_STEADY_S = 1.0, 0.5
# Of the usual time; the silence around speech counts too.
SHORTEST, LONGEST, EDGES_S = 0.6, 1.6, 0.4
_FEWEST_REPEATED = {True: 3, False: 8}  # Han characters, letters


@dataclass(frozen=True)
class FaultMeasures:
    """s_per_text_id: of the whole sound. steady_s: the longest stretch of sound that does not change. end: how loud the
    last 40 ms are, against the loudest."""

    seconds: float
    text_ids: int
    longest_silence_s: float
    steady_s: float
    end: float

    @property
    def s_per_text_id(self) -> float:
        return self.seconds / max(1, self.text_ids)


def measured(wave: NDArray[np.float32], text_ids: int) -> FaultMeasures:
    """Of a wave at 24 kHz [samples] that says this many text ids."""
    frames = wave[: len(wave) // _FRAME * _FRAME].reshape(-1, _FRAME)
    rms = np.sqrt(np.square(frames, dtype=np.float64).mean(1))
    loudest = float(np.percentile(rms, 98)) if len(rms) else 0.0
    loud = rms > _QUIET * max(loudest, 1e-6)
    inside = np.flatnonzero(loud)
    silent = ~loud[inside[0] : inside[-1] + 1] if len(inside) else np.ones(len(rms), bool)
    end = float(rms[-_EDGE_FRAMES:].max()) / loudest if loudest else 0.0
    return FaultMeasures(
        seconds=len(wave) / SAMPLE_RATE,
        text_ids=text_ids,
        longest_silence_s=longest_run(silent) * _FRAME_S,
        steady_s=longest_run(_steady(wave, loud)) * _FRAME_S,
        end=end,
    )


def faults(
    found: FaultMeasures, usual_s: float, error: float, reference: str, heard: str, *, short: bool
) -> tuple[str, ...]:
    """Names of what is wrong. usual_s: seconds that a text id usually takes. reference, heard: letters. short: a word
    or two."""
    named = {
        "words": error > (MOST_ERROR_SHORT if short else MOST_ERROR),
        "repetition": repeated(heard) and not repeated(reference),
        "gap": found.longest_silence_s > MOST_SILENCE_S,
        "drone": found.steady_s > MOST_STEADY_S,
        "too short": found.seconds < SHORTEST * usual_s * found.text_ids,
        "too long": found.seconds > LONGEST * usual_s * found.text_ids + EDGES_S,
        "cut": found.end > _LOUD_END,
    }
    return tuple(name for name, wrong in named.items() if wrong)


def repeated(letters: str) -> bool:
    """Whether several words are said twice in a row."""
    han = bool(re.search(r"[\u4e00-\u9fff]", letters))
    return bool(re.search(rf"(.{{{_FEWEST_REPEATED[han]},}})\1", letters))


def longest_run(flags: NDArray[np.bool_]) -> int:
    """The most true values in a row."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return int((edges[1::2] - edges[::2]).max()) if len(edges) else 0


def _steady(wave: NDArray[np.float32], loud: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Loud frames after which the spectrum stays what it was."""
    if len(wave) <= MEL_HOP * 2:
        return np.zeros(0, bool)
    mel = mel_24k(torch.from_numpy(wave)).numpy()[: len(loud)]
    change = np.abs(mel[_APART:] - mel[:-_APART]).mean(1)
    steady: NDArray[np.bool_] = (change < _STEADY) & loud[: len(change)]
    return steady
