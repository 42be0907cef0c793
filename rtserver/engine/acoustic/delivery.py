"""An utterance's samples on their way to its listener: the first sound waits until the next one will follow it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rtserver.engine.acoustic.resume import ResumeRecord
from rtserver.engine.acoustic.timings import Timings
from rtserver.ipc.engine import Audio
from rtserver.schedule.playback import Playback
from rtserver.schedule.waits import first_sound_at_s


@dataclass(frozen=True)
class Sound:
    """Samples that are made: their event without its record, which is as of then but for the playback."""

    audio: Audio
    seconds: float
    record: ResumeRecord
    made_s: float


class Delivery:
    """Counts what went out. `seconds` is told of it. With `holds`, the first sound is kept back until `release`, or
    until the second is there."""

    def __init__(self, playback: Playback, seconds: Timings, *, holds: bool) -> None:
        self.playback = playback
        self._seconds = seconds
        self._holds = holds
        self._first: Sound | None = None

    def add(self, sound: Sound) -> list[Audio]:
        """What goes out now that this is made."""
        if self._holds and sound.audio.start_s == 0:
            self._first = sound
            self._seconds.first_made = sound.made_s
            return []
        return [*self.release(sound.made_s), self._out(sound, sound.made_s)]

    def release(self, now_s: float) -> list[Audio]:
        """The first sound, if it is kept back."""
        first, self._first = self._first, None
        return [] if first is None else [self._out(first, now_s)]

    @property
    def keeps_back(self) -> bool:
        """Whether there is a first sound to `release`."""
        return self._first is not None

    def release_at_s(self, next_due_s: float) -> float:
        """When the first sound that is kept back should go out if the next one is predicted for then."""
        assert self._first is not None, "keeps_back tells"
        return first_sound_at_s(self._first.made_s, self._first.seconds, next_due_s)

    def playback_with_first(self, sent_at_s: float | None = None) -> Playback:
        """As it were if a first sound that is kept back had gone out then (None: when it was made)."""
        if self._first is None:
            return self.playback
        playback = replace(self.playback)
        playback.sent(self._first.seconds, self._first.made_s if sent_at_s is None else sent_at_s)
        return playback

    def _out(self, sound: Sound, now_s: float) -> Audio:
        dry_at_s = self.playback.dry_at_s
        self._seconds.audio(now_s, gap_s=self.playback.sent(sound.seconds, now_s), dry_at_s=dry_at_s)
        record = replace(sound.record, playback=self.playback, seconds=self._seconds.record())
        return replace(sound.audio, resume=record.pack())
