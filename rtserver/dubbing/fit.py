"""How fast a part is spoken, so that it fits its slot. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rtserver.session.start_request import MIN_TARGET_S

# About how long a text takes at speed 1: a base, and a time for each character, which is a syllable or a letter.
_BASE_S, _SYLLABLE_S, _LETTER_S = 0.4, 0.18, 0.046
_SYLLABLE = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


@dataclass(frozen=True)
class Fit:
    """The speeds that a track may have. The server fits speech to a length with speeds of 0.5 to 2, which is more than
    a listener likes."""

    # Speech that is slower would drag: it is spoken at this speed, and silence follows.
    slowest: float = 0.8
    # Speech that is faster is hard to understand: it is spoken at this speed, and runs over the end of its slot.
    fastest: float = 1.5

    def target_s(self, slot_s: float) -> float:
        """The length to ask the server for."""
        return max(slot_s, MIN_TARGET_S)

    def instead(self, speed: float) -> float | None:
        """The speed to speak with instead of the one that the server chose; None if that is good."""
        if speed < self.slowest:
            return self.slowest
        return self.fastest if speed > self.fastest else None

    def guess(self, text: str, slot_s: float) -> float | None:
        """The bound of the speed that the text will probably need, to be tried first: it saves making the speech of a
        long or a short slot twice. None if it will probably fit."""
        syllables = len(_SYLLABLE.findall(text))
        speech_s = _BASE_S + _SYLLABLE_S * syllables + _LETTER_S * (len(text) - syllables)
        return self.instead(speech_s / slot_s)

    def guessed_right(self, speed: float, length_s: float, slot_s: float) -> bool:
        """Whether speech at the speed of a guess is the one that asking for the slot's length would have led to."""
        return length_s <= slot_s if speed == self.slowest else length_s >= slot_s
