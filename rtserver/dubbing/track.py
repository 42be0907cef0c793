"""Puts the sound of all parts together. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]
# Samples of one piece of the track.
_PIECE = 1 << 18


def track(sounds: Iterable[tuple[int, Samples]], samples: int) -> Iterator[Samples]:
    """The track in pieces, with at least `samples` samples. `sounds`: the place of the first sample and the samples, in
    the order of their places. Where sounds overlap they are added, and clipped where they are too loud."""
    at = 0
    ahead = np.zeros(0, np.int32)  # the sum of what was taken and is not given yet, from `at` on
    for place, sound in sounds:
        assert place >= at, f"expected sounds in order, found {place} after {at}"
        yield from _pieces(ahead, place - at)
        ahead, at = ahead[place - at :], place
        if len(sound) > len(ahead):
            ahead = np.concatenate([ahead, np.zeros(len(sound) - len(ahead), np.int32)])
        ahead[: len(sound)] += sound
    yield from _pieces(ahead, max(len(ahead), samples - at))


def _pieces(sums: NDArray[np.int32], samples: int) -> Iterator[Samples]:
    """The first `samples` of `sums`, with silence where it is shorter."""
    for start in range(0, samples, _PIECE):
        length = min(_PIECE, samples - start)
        piece = np.zeros(length, np.int16)
        have = sums[start : start + length]
        piece[: len(have)] = np.clip(have, -32768, 32767)
        yield piece
