"""An utterance's sounds on the way to its listener. The first may be kept back until the next will follow it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from rtserver.schedule.playback import Playback
from rtserver.schedule.timings import Timings
from rtserver.schedule.waits import first_sound_at_s


@dataclass(frozen=True)
class Sound:
    """Samples that are made."""

    # Position of the first sample in the utterance's audio.
    start_s: float
    # How long they sound.
    seconds: float
    # When they were made.
    made_s: float


S = TypeVar("S", bound=Sound)


class Delivery(Generic[S]):
    """Keeps the first sound back and counts what goes out.

    `add` and `release` return the sounds that go out now, in order. The owner sends each of them, and calls `sent`
    for it before it looks at the playback.
    """

    def __init__(self, playback: Playback, timings: Timings, *, holds: bool) -> None:
        """timings: they are told of every sound. holds: whether the first sound may be kept back."""
        self.playback = playback
        self.timings = timings
        self._holds = holds
        self._first: S | None = None

    def add(self, sound: S) -> list[S]:
        """A sound is made. A first sound that is kept back goes out with the second one at the latest."""
        if self._holds and sound.start_s == 0:
            self._first = sound
            self.timings.first_made = sound.made_s
            return []
        return [*self.release(), sound]

    def release(self) -> list[S]:
        """The first sound, if it is kept back."""
        first, self._first = self._first, None
        return [] if first is None else [first]

    def sent(self, sound: S, now_s: float) -> None:
        """A sound went out."""
        dry_at_s = self.playback.dry_at_s
        self.timings.audio(now_s, gap_s=self.playback.sent(sound.seconds, now_s), dry_at_s=dry_at_s)

    @property
    def keeps_back(self) -> bool:
        """Whether the first sound is kept back."""
        return self._first is not None

    def release_at_s(self, next_due_s: float, *, alone: bool = False) -> float:
        """When the first sound that is kept back should go out, if the next one is predicted for `next_due_s`. alone:
        whether no other utterance has work."""
        assert self._first is not None, "keeps_back tells"
        return first_sound_at_s(self._first.made_s, self._first.seconds, next_due_s, alone=alone)

    def playback_with_first(self, sent_at_s: float | None = None) -> Playback:
        """The playback as if a first sound that is kept back had gone out then. None: when it was made."""
        if self._first is None:
            return self.playback
        playback = replace(self.playback)
        playback.sent(self._first.seconds, self._first.made_s if sent_at_s is None else sent_at_s)
        return playback
