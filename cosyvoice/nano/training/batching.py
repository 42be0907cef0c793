"""Utterances of similar length in one batch, so that little of it is padding."""

from __future__ import annotations

import random
from collections.abc import Sequence

_JITTER = 0.06  # share by which lengths vary from epoch to epoch; else the same utterances would always meet


def batches(lengths: Sequence[int], budget: int, generator: random.Random) -> list[list[int]]:
    """Indices in batches whose padded length (longest times count) is at most `budget`, in a random order.

    An item longer than the budget has a batch of its own.
    """
    order = sorted(range(len(lengths)), key=lambda i: lengths[i] * (1 + _JITTER * generator.random()))
    made: list[list[int]] = []
    batch: list[int] = []
    longest = 0
    for index in order:
        longest = max(longest, lengths[index])
        if batch and longest * (len(batch) + 1) > budget:
            made.append(batch)
            batch, longest = [], lengths[index]
        batch.append(index)
    if batch:
        made.append(batch)
    generator.shuffle(made)
    return made
