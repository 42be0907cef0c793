"""What changes across the borders of a sound: between hops, between sequences, and inside for comparison. Pure.

A border between hops lies in the middle of speech. There, pitch and level of the two frames around it are compared with
those around points that are no border. Sequences meet in a pause. There, speech before and after the pause is compared,
as it is around the pauses between the sentences inside a sequence, and around all other pauses.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bench.model.sound import levels, pitch

# A point is compared over this much on either side.
_NEAR_MS = 40
# Points inside are this far apart, and so far from every border.
_EVERY_MS, _APART_MS = 100, 100
# Around a pause, the last and the first speech of this length is compared.
_SPEECH_MS = 400
# A pause is between sentences when the next one begins from so long before its start to so long after its end.
_SENTENCE_MS = 200
# Frames this much below the loudest are no speech.
_SPEECH_DB = 30.0


@dataclass
class Jumps:
    """Changes across borders of one kind."""

    f0_hz: list[float] = field(default_factory=list)
    level_db: list[float] = field(default_factory=list)
    pause_s: list[float] = field(default_factory=list)

    def extend(self, other: Jumps) -> None:
        self.f0_hz += other.f0_hz
        self.level_db += other.level_db
        self.pause_s += other.pause_s

    def told(self) -> dict[str, dict[str, float]]:
        """Count, median and quantiles of each."""
        return {name: spread(values) for name in ("f0_hz", "level_db", "pause_s") if (values := getattr(self, name))}


def spread(values: Sequence[float]) -> dict[str, float]:
    """How values are distributed."""
    found = {"count": float(len(values)), "mean": float(np.mean(values))}
    for percent in (10, 50, 90):
        found[f"p{percent}"] = float(np.percentile(values, percent))
    return {name: round(value, 3) for name, value in found.items()}


def across(
    wave: levels.Wave, rate_hz: int, hops: Iterable[int], seams: Iterable[int], sentences: Iterable[int]
) -> dict[str, Jumps]:
    """The jumps of a sound: at a "hop" and "inside"; around a "seam", between "sentences", around any other "pause".
    hops, seams, sentences: where they are, in samples."""
    f0, level = pitch.f0_hz(wave, rate_hz), levels.frames_dbfs(wave, rate_hz)
    frame = levels.FRAME_MS * rate_hz // 1000
    seam_frames = [round(at / frame) for at in seams]
    sentence_frames, around = [round(at / frame) for at in sentences], _SENTENCE_MS // levels.FRAME_MS
    hop_frames = [round(at / frame) for at in hops if round(at / frame) not in seam_frames]
    apart = _APART_MS // levels.FRAME_MS
    inside = [
        at
        for at in range(apart, len(level) - apart, _EVERY_MS // levels.FRAME_MS)
        if all(abs(at - border) >= apart for border in (*hop_frames, *seam_frames))
    ]
    jumps = {"hop": _at_points(hop_frames, f0, level), "inside": _at_points(inside, f0, level)}
    for kind in ("seam", "sentences", "pause"):
        jumps[kind] = Jumps()
    for silence in levels.silences(wave, rate_hz, levels.GAP_MS):
        first, end = silence.start // frame, silence.end // frame
        if first > 0 and end < len(level):
            if any(first <= at <= end for at in seam_frames):
                kind = "seam"
            elif any(first - around <= at <= end + around for at in sentence_frames):
                kind = "sentences"
            else:
                kind = "pause"
            jumps[kind].extend(_at_pause(first, end, f0, level))
    return jumps


def _at_points(points: Iterable[int], f0: NDArray[np.float64], level: NDArray[np.float64]) -> Jumps:
    near = _NEAR_MS // levels.FRAME_MS
    found = Jumps()
    for at in points:
        before, after = slice(max(0, at - near), at), slice(at, at + near)
        voiced = [f0[part][f0[part] > 0] for part in (before, after)]
        if all(2 * len(values) >= near for values in voiced):
            found.f0_hz.append(abs(float(np.median(voiced[1]) - np.median(voiced[0]))))
        if len(level[after]) == near and max(level[before].mean(), level[after].mean()) > levels.SILENT_DBFS:
            found.level_db.append(abs(_power_db(level[after]) - _power_db(level[before])))
    return found


def _at_pause(first: int, end: int, f0: NDArray[np.float64], level: NDArray[np.float64]) -> Jumps:
    length = _SPEECH_MS // levels.FRAME_MS
    before, after = slice(max(0, first - length), first), slice(end, end + length)
    found = Jumps(pause_s=[(end - first) * levels.FRAME_MS / 1000])
    voiced = [f0[part][f0[part] > 0] for part in (before, after)]
    if all(len(values) >= 5 for values in voiced):
        found.f0_hz.append(abs(float(np.median(voiced[1]) - np.median(voiced[0]))))
    if len(level[before]) == length == len(level[after]):
        found.level_db.append(abs(_speech_db(level[after]) - _speech_db(level[before])))
    return found


def _power_db(level: NDArray[np.float64]) -> float:
    return float(10 * np.log10(np.mean(10 ** (level / 10))))


def _speech_db(level: NDArray[np.float64]) -> float:
    return _power_db(level[level > level.max() - _SPEECH_DB])
