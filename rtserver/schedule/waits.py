"""When to wait: a first sound for its second, a sequence for its text. Pure: time is an argument, in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from rtserver.schedule.playback import Playback

# A sequence without text is closed this long before its listener runs dry. The time that the closing takes is added.
STARVATION_MARGIN_S = 0.15
# While there is nothing to listen to, a sequence without text is closed this long after the last text.
FIRST_TEXT_PATIENCE_S = 0.8
# A slow writer's first sound goes out this long after the first text at the latest.
SLOW_FIRST_SOUND_S = 1.4
# Text of a slow writer may come this much later than it is predicted.
LATE_TEXT_S = 0.15
# A listener hardly notices a shorter stall.
STALL_S = 0.1
# The reader is asked for the words that it still holds this long before the closing.
HUNGRY_BEFORE_S = 0.25
# A first sound is kept back until the next one is due within this share of its length; otherwise silence would follow
# it.
DUE_SHARE = 0.7
# The same while no other utterance has work: then nothing can come between.
DUE_SHARE_ALONE = 0.85
# How long a first sound is kept back at most.
LONGEST_HOLD_S = 0.6
# Mean deviations that are added to the time that sampling takes, where it must not be predicted too short.
CAUTION_DEVIATIONS = 2.0


def first_sound_at_s(made_s: float, audio_s: float, next_due_s: float, *, alone: bool = False) -> float:
    """When a first sound goes out. audio_s: its length. made_s: when it was made. next_due_s: when the next one is
    predicted. alone: whether no other utterance has work."""
    return min(made_s + LONGEST_HOLD_S, next_due_s - (DUE_SHARE_ALONE if alone else DUE_SHARE) * audio_s)


class Asked(IntEnum):
    """What the reader is asked for: no text, some words together, or any word."""

    NOTHING = 0
    STRETCH = 1
    WORD = 2


@dataclass(frozen=True)
class TextWait:
    """What comes of waiting for a slow writer, as its pace predicts."""

    # When the first text came.
    begun_s: float
    # When the text of the next hop will be there, and when the hop will be sound.
    text_at_s: float
    sound_at_s: float
    # Whether the open sequence has given speech: closing it brings the rest of that.
    has_spoken: bool


@dataclass
class Starvation:
    """When an utterance that cannot go on without text asks for more, and when its sequence is closed.

    While the listener has audio left, the sequence is closed shortly before that is over. Before the first sound, and
    when the listener is dry already, it is closed FIRST_TEXT_PATIENCE_S after the last text, so that single words are
    not spoken one by one. For a slow writer see `of_slow`.
    """

    # When the sequence is closed.
    close_at_s: float
    # When more text is asked for.
    ask_at_s: float
    # Whether it is asked for some words before that: the writer is slow.
    offers: bool = False

    @classmethod
    def of(cls, playback: Playback, last_text_s: float, cost_s: float) -> Starvation:
        """cost_s: predicted time from the closing to the next sound."""
        close_at_s = playback.dry_at_s - cost_s - STARVATION_MARGIN_S
        if not playback.begun or close_at_s < last_text_s:
            close_at_s = last_text_s + FIRST_TEXT_PATIENCE_S
        return cls(close_at_s, close_at_s - HUNGRY_BEFORE_S)

    @classmethod
    def of_slow(cls, playback: Playback, last_text_s: float, cost_s: float, wait: TextWait) -> Starvation:
        """Of a slow writer. It is asked for text at once. If the next sound would come after the listener has run dry,
        the sequence is closed, and what is written so far is spoken to its end."""
        patience_s = last_text_s + FIRST_TEXT_PATIENCE_S
        close_at_s = playback.dry_at_s - cost_s - STARVATION_MARGIN_S
        if not playback.begun:
            close_at_s = min(patience_s, wait.begun_s + SLOW_FIRST_SOUND_S - cost_s)
        elif wait.sound_at_s <= playback.dry_at_s + STALL_S:
            close_at_s = max(close_at_s, min(wait.text_at_s + LATE_TEXT_S, patience_s))
        elif not wait.has_spoken and close_at_s < last_text_s:
            return cls(patience_s, last_text_s, offers=True)
        return cls(close_at_s, close_at_s - HUNGRY_BEFORE_S, offers=True)

    def by(self, latest_s: float) -> Starvation:
        """The same, but the sequence is closed by then, however much audio the listener has left."""
        if self.close_at_s <= latest_s:
            return self
        return Starvation(latest_s, latest_s - HUNGRY_BEFORE_S, self.offers)
