"""Where an utterance's time went: what `Done` tells of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass


@dataclass
class Timings:
    """Points in time by one monotonic clock, and amounts.

    last_text: when text, a flush or the end came last. enough: when the text came that the first sound was made of;
    first_made: when that was made, which may be before it goes out.
    last_idle_text: when text came last to an utterance that could not go on without. starved_late: a sequence was
    closed for want of text when that was too late for its listener, and has not sounded since. text_starved, underrun:
    how long the listener heard nothing between two sounds, for want of text and for other reasons. prepare: how long
    it waited for its voice or source to be prepared.
    """

    opened: float
    first_text: float | None = None
    last_text: float = 0.0
    last_idle_text: float = 0.0
    starved_late: bool = False
    enough: float | None = None
    first_made: float | None = None
    first_audio: float | None = None
    first_compute: float = 0.0  # until the first sound
    talker: float = 0.0
    flow: float = 0.0
    vocoder: float = 0.0
    text_starved: float = 0.0
    underrun: float = 0.0
    prepare: float = 0.0

    def prepared(self, now_s: float) -> None:
        """Voice and source are ready now."""
        if self.first_audio is None:  # otherwise it is a second time, after a crash
            self.prepare = now_s - self.opened

    def text(self, now_s: float, *, idle: bool) -> None:
        """Text, a flush or the end came; `idle` when nothing was left to do without it."""
        self.first_text = now_s if self.first_text is None else self.first_text
        self.last_text = now_s
        if idle:
            self.last_idle_text = now_s
            if self.first_audio is None and self.first_made is None:
                self.enough = now_s

    def audio(self, now_s: float, *, gap_s: float, dry_at_s: float) -> None:
        """Samples went out, `gap_s` after the listener had heard all before, at `dry_at_s`."""
        if self.first_audio is None:
            self.first_audio = now_s
            self.first_compute = self.talker + self.flow + self.vocoder
        if self.starved_late or self.last_idle_text > dry_at_s:
            self.text_starved += gap_s
        else:
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
