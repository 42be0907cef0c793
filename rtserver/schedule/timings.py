"""Where an utterance's time went: what `Done` tells of it. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass


@dataclass
class Timings:
    """Points in time by one monotonic clock, and amounts of time, all in seconds."""

    # When the utterance was opened.
    opened: float
    # When text, a flush or the end came for the first and for the last time.
    first_text: float | None = None
    last_text: float = 0.0
    # When text came last to an utterance that could not go on without it.
    last_idle_text: float = 0.0
    # A sequence was closed for want of text, too late for its listener, and no sound has come since.
    starved_late: bool = False
    # When the text of the first sound had come.
    enough: float | None = None
    # When the first sound was made, and when it went out.
    first_made: float | None = None
    first_audio: float | None = None
    # Time that talker, flow and vocoder took until the first sound.
    first_compute: float = 0.0
    # Time that each took in all.
    talker: float = 0.0
    flow: float = 0.0
    vocoder: float = 0.0
    # How long the listener heard nothing between two sounds, for want of text and for other reasons.
    text_starved: float = 0.0
    underrun: float = 0.0
    # How long the utterance waited for its voice or source to be prepared.
    prepare: float = 0.0
    # Until when the work stood still because the client did not read; infinite while it does.
    held_until: float = 0.0

    def hold(self, on: bool, now_s: float) -> None:
        """The client does not read what is sent, or reads again."""
        self.held_until = math.inf if on else now_s

    def prepared(self, now_s: float) -> None:
        """Voice and source are ready now."""
        if self.first_audio is None:  # otherwise it is a second time, after a crash
            self.prepare = now_s - self.opened

    def text(self, now_s: float, *, idle: bool) -> None:
        """Text, a flush or the end came. idle: nothing was left to do without it."""
        self.first_text = now_s if self.first_text is None else self.first_text
        self.last_text = now_s
        if idle:
            self.last_idle_text = now_s
            if self.first_audio is None and self.first_made is None:
                self.enough = now_s

    def audio(self, now_s: float, *, gap_s: float, dry_at_s: float) -> None:
        """Samples went out. dry_at_s: when the listener had heard all before. gap_s: how long it has heard nothing."""
        if self.first_audio is None:
            self.first_audio = now_s
            self.first_compute = self.talker + self.flow + self.vocoder
        if self.starved_late or self.last_idle_text > dry_at_s:
            self.text_starved += gap_s
        elif self.held_until <= dry_at_s:  # else it is the client's
            self.underrun += gap_s
        self.starved_late = False

    def told(self, now_s: float) -> dict[str, float]:
        """As `Done` tells it."""
        since_s = self.opened if self.first_text is None else self.first_text
        told = {
            "talker": self.talker,
            "flow": self.flow,
            "vocoder": self.vocoder,
            "wall": now_s - since_s,
            "text_starved": self.text_starved,
            "underrun": self.underrun,
        }
        if self.prepare:
            told["prepare"] = self.prepare
        if self.first_audio is not None:
            enough_s = since_s if self.enough is None else self.enough
            told["ttfa"] = self.first_audio - since_s
            told["text_wait"] = enough_s - since_s
            possible_s = max(enough_s, self.opened + self.prepare)
            told["queue"] = max(0.0, self.first_audio - possible_s - self.first_compute)
        return told

    def record(self) -> dict[str, float | bool | None]:
        """As plain data."""
        return asdict(self)

    @classmethod
    def restore(cls, record: Mapping[str, float | bool | None]) -> Timings:
        """From `record`. TypeError for other fields."""
        return cls(**record)  # type: ignore[arg-type]
