"""A simulated listener: it plays from the first frame on, in real time. Pure: times are arguments, in seconds."""

from __future__ import annotations

from rtserver.schedule.playback import Playback

# Shorter silences come from the clock and do not count.
AUDIBLE_S = 0.001


class Listener:
    """What the listener of one turn gets.

    first_s, last_s: when the first and the last frame came.
    underruns: how often a listener that waits for late sound stood still. playback.gap_s: for how long.
    deficit_s: how late the latest frame was for a listener that never waits. It starts with the first frame, and each
      later frame is due where the sound before it ends.
    """

    def __init__(self) -> None:
        self.playback = Playback()
        self.first_s: float | None = None
        self.last_s: float | None = None
        self.underruns = 0
        self.deficit_s = 0.0

    @property
    def audio_s(self) -> float:
        return self.playback.sent_s

    def frame(self, seconds: float, now_s: float) -> None:
        """A frame has come."""
        if self.first_s is None:
            self.first_s = now_s
        self.deficit_s = max(self.deficit_s, self.late_s(now_s))
        if self.playback.sent(seconds, now_s) > AUDIBLE_S:
            self.underruns += 1
        self.last_s = now_s

    def late_s(self, now_s: float) -> float:
        """How late a frame would be that comes now. 0 before the first one."""
        return 0.0 if self.first_s is None else max(0.0, now_s - self.first_s - self.audio_s)

    def unheard_s(self, at_s: float) -> float:
        """Sound that has come but is not heard if the listener stops now."""
        return self.playback.lead_s(at_s)
