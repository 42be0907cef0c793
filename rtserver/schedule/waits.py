"""When to wait: a first sound for its second, a sequence for its text. Pure: time is an argument, in seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rtserver.schedule.playback import Playback

# How long before its listener runs dry a sequence without text is closed: what the closing itself takes comes on top.
STARVATION_MARGIN_S = 0.15
# A text that stops with nobody listening to anything is spoken as far as it goes.
FIRST_TEXT_PATIENCE_S = 0.8
# Before the closing the reader is asked for the words that it still holds.
HUNGRY_BEFORE_S = 0.25
# A first sound shorter than the wait for the next one would be followed by silence: it is kept back, for so long at
# most, until the next one is due in this share of its length.
LONGEST_HOLD_S = 0.6
DUE_SHARE = 0.7
CAUTION_DEVIATIONS = 2.0  # of what sampling takes, for that prediction
# A first hop sounds for so many times what the next one takes.
FIRST_HOP_MARGIN = 1.3


def first_sound_at_s(made_s: float, audio_s: float, next_due_s: float) -> float:
    """When a first sound of `audio_s`, there since `made_s`, begins if the next one is predicted for `next_due_s`."""
    return min(made_s + LONGEST_HOLD_S, next_due_s - DUE_SHARE * audio_s)


def first_hop_tokens(choices: Sequence[tuple[int, float]], next_hop_s: float) -> int:
    """The first hop for a machine on which the next one takes `next_hop_s`: the shortest of `choices` (tokens, seconds
    that they sound) that covers it with FIRST_HOP_MARGIN, or the longest. A shorter one would be followed by silence,
    a longer one would come later for nothing."""
    enough = [tokens for tokens, sounds_s in choices if sounds_s >= FIRST_HOP_MARGIN * next_hop_s]
    return min(enough) if enough else max(tokens for tokens, _ in choices)


@dataclass
class Starvation:
    """When an utterance that cannot go on without text asks for more, and when it is closed with what it has.

    A listener that has audio left waits until that is nearly over. Before the first sound, and where text comes to a
    listener who is dry, it may pause for FIRST_TEXT_PATIENCE_S: single words are not spoken one by one.
    """

    close_at_s: float
    ask_at_s: float

    @classmethod
    def of(cls, playback: Playback, last_text_s: float, cost_s: float) -> Starvation:
        """cost_s: predicted, from the closing to the next sound."""
        close_at_s = playback.dry_at_s - cost_s - STARVATION_MARGIN_S
        if not playback.begun or close_at_s < last_text_s:
            close_at_s = last_text_s + FIRST_TEXT_PATIENCE_S
        return cls(close_at_s, close_at_s - HUNGRY_BEFORE_S)
