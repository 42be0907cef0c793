"""Which phoneme is said when, while speech is made: CTC's best path over slots that come piece by piece. Pure.

The path goes through the phonemes that are known so far, and continues when more come. Slots that are older than a
limit are settled: they do not change any more. So work and memory do not grow with the length of the speech.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

BLANK = 0
SETTLED_AFTER_SLOTS = 100  # two seconds; all likely paths agree on what is older
_UNLIKELY_NATS = 60.0  # a path that is worse than the best one by more than this is dropped
# Added for each phoneme, about as much as a phoneme usually costs. Without it a path that stays in a blank looks better
# than the true path, because the network is never sure of a phoneme; only later slots would show the mistake. All
# complete paths get the same sum.
_PHONEME_NATS = 2.5
_NEVER = -np.inf


class OnlineAlignment:
    """One sequence's best path. Its labels are the phonemes, with a blank before, between and after them.

    first_slots: where each phoneme begins, for the phonemes that have begun. Those that began in the last
    `settled_after_slots` slots may still change.
    slots: number of slots read.
    """

    def __init__(self, settled_after_slots: int = SETTLED_AFTER_SLOTS) -> None:
        self.first_slots: list[int] = []
        self.slots = 0
        self._settled_after = settled_after_slots
        self._settled = 0  # phonemes whose place is final
        self._phonemes: list[int] = []
        # The best score of a path to each label. Only labels from `_low` up to `_high` have one.
        self._score = np.zeros(1)
        self._low, self._high = 0, 1
        # For each slot that is not settled: its lowest label, and for each label from there on, how many labels the
        # best path to it advanced in this slot.
        self._back: deque[tuple[int, NDArray[np.int8]]] = deque()
        self.append([])

    def append(self, phonemes: Sequence[int]) -> None:
        """Adds phonemes, to be said after the others. Raises ValueError for a blank among them."""
        if BLANK in phonemes:
            raise ValueError(f"expected phonemes, found {BLANK}, which stands for CTC's blank")
        self._phonemes += phonemes
        labels = np.full(2 * len(self._phonemes) + 1, BLANK)
        labels[1::2] = self._phonemes
        self._labels = labels
        # Scores of a step from the label before, and of a step over a blank, which must be between different phonemes.
        self._step = np.where(labels == BLANK, 0.0, _PHONEME_NATS)
        self._skip = np.full(len(labels), _NEVER)
        self._skip[3::2] = np.where(labels[3::2] != labels[1:-2:2], _PHONEME_NATS, _NEVER)
        self._score = np.concatenate([self._score, np.full(2 * len(phonemes), _NEVER)])

    def advance(self, log_probs: NDArray[np.float32], *, final: bool = False) -> None:
        """Reads the next slots [slots, classes]. final: they are the last, so the path ends at the last phoneme if it
        can."""
        for scores in log_probs[:, self._labels]:
            self._advance(scores)
        if self._back:
            self._drop(self._score < self._score.max() - _UNLIKELY_NATS)
            self._read(self._path(final=final))

    def _advance(self, scores: NDArray[np.float32]) -> None:
        low, high = self._low, min(self._high + 2, len(self._labels))
        before = self._score[low:high]
        ways = np.full((3, high - low), _NEVER)
        ways[0] = before
        ways[1, 1:] = before[:-1] + self._step[low + 1 : high]
        ways[2, 2:] = before[:-2] + self._skip[low + 2 : high]
        self._back.append((low, ways.argmax(0).astype(np.int8)))
        self._score[low:high] = ways.max(0) + scores[low:high]
        self._high = high
        self.slots += 1

    def _path(self, *, final: bool) -> list[int]:
        """The labels of the best path in the slots that are not settled."""
        at = int(self._score.argmax())
        if final and self._high == len(self._labels):  # at the last phoneme, or the blank after it
            at = len(self._labels) - len(self._score[-2:]) + int(self._score[-2:].argmax())
        path = []
        for low, back in reversed(self._back):
            path.append(at)
            at -= int(back[at - low])
        return path[::-1]

    def _read(self, path: Sequence[int]) -> None:
        """Reads where phonemes begin from the path, and settles the old slots."""
        del self.first_slots[self._settled :]
        first_slot, old = self.slots - len(path), len(path) - self._settled_after
        for index, label in enumerate(path):
            begun = (label + 1) // 2
            if begun > len(self.first_slots):
                self.first_slots.append(first_slot + index)
            if index == old - 1:
                self._settled = begun
        if old > 0:
            self._settle(old, path[old - 1])

    def _settle(self, old: int, label: int) -> None:
        """Settles the `old` oldest slots. Drops the paths that were not at `label` at the end of these slots."""
        alive = np.flatnonzero(self._score > _NEVER)
        at = alive
        for low, back in list(self._back)[: old - 1 : -1]:
            at = at - back[at - low]
        others = np.zeros(len(self._score), bool)
        others[alive[at != label]] = True
        self._drop(others)
        for _ in range(old):
            self._back.popleft()

    def _drop(self, others: NDArray[np.bool_]) -> None:
        """Drops the paths to these labels."""
        self._score[others] = _NEVER
        kept = np.flatnonzero(self._score > _NEVER)
        self._low, self._high = int(kept[0]), int(kept[-1]) + 1
