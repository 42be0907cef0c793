"""When each text id of an utterance begins to sound. An aligner finds its phonemes in the speech. Pure.

Each id gets its time once, in order, no later than with the sound in which it begins. A time stays as it is, also when
later speech shows a better one. Ids without a sound (spaces, punctuation) follow the sound before them.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosyvoice.talker.alignment import OnlineAlignment

# Of a phoneme before a pause.
_LONGEST_SOUND_S = 0.15


@dataclass(frozen=True)
class Place:
    """A sound's place in the utterance's audio, in seconds."""

    # Where its sequence begins.
    sequence_s: float
    start_s: float
    end_s: float
    speed: float
    # Whether it is the last of its sequence.
    final: bool


class TextTimes:
    """The times of one utterance. sounding: the ids that are phonemes. slot_s: the length of a slot of the aligner.
    shift_s: how long after the middle of its slot a sound begins. told: ids that had their time before a crash."""

    def __init__(self, sounding: Set[int], *, slot_s: float, shift_s: float, told: int = 0) -> None:
        self.told = told
        self._sounding = sounding
        self._slot_s, self._shift_s = slot_s, shift_s
        self._ids: list[int] = []
        self._last_s = 0.0
        self.begin(0)

    def feed(self, ids: Sequence[int]) -> None:
        """Text that will be spoken."""
        self._ids += ids

    def begin(self, first_id: int) -> None:
        """A talker sequence begins, with this id."""
        self._alignment = OnlineAlignment()
        self._first_id = self._end_id = first_id
        self._phonemes: list[int] = []  # the ids of the alignment's phonemes, by their index in the text

    def hear(self, end_id: int, log_probs: NDArray[np.float32], place: Place) -> list[float]:
        """Takes the slots [slots, classes] of the sequence's next tokens, and the place of the sound that is made of
        them. Returns when the ids from `told` on begin, in seconds of the utterance's audio, for those that begin
        before the sound's end. end_id: the ids before this one belong to the sequence, as far as the text is known.
        """
        phonemes = [i for i in range(self._end_id, end_id) if self._ids[i] in self._sounding]
        self._alignment.append([self._ids[i] for i in phonemes])
        self._phonemes += phonemes
        self._end_id = end_id
        self._alignment.advance(log_probs, final=place.final)
        return self._tell(place)

    def _tell(self, place: Place) -> list[float]:
        found = self._alignment.first_slots
        begins_s = dict(zip(self._phonemes, (self._begins_s(slot, place) for slot in found)))
        earliest_s = max(place.start_s, self._last_s)
        times: list[float] = []
        for index in range(self.told, self._end_id):
            begin_s = begins_s.get(index)
            if index < self._first_id:  # a sequence in which nothing was said
                begin_s = place.sequence_s
            elif self._ids[index] not in self._sounding:
                begin_s = self._pause_s(index, begins_s, place)
            if begin_s is None or begin_s >= place.end_s:
                if not place.final:
                    break
                begin_s = place.end_s
            earliest_s = max(earliest_s, begin_s)
            times.append(earliest_s)
        self.told += len(times)
        self._last_s = times[-1] if times else self._last_s
        return times

    def _begins_s(self, slot: int, place: Place) -> float:
        return place.sequence_s + ((slot + 0.5) * self._slot_s + self._shift_s) / place.speed

    def _pause_s(self, index: int, begins_s: dict[int, float], place: Place) -> float | None:
        """When an id without sound begins: where the sound before it ends."""
        before = next((i for i in range(index - 1, self._first_id - 1, -1) if self._ids[i] in self._sounding), None)
        if before is None:
            return place.sequence_s
        after = next((i for i in range(index + 1, self._end_id) if self._ids[i] in self._sounding), None)
        if before not in begins_s:
            return None
        end_s = begins_s[before] + _LONGEST_SOUND_S / place.speed
        return end_s if after is None else min(end_s, begins_s.get(after, end_s))
