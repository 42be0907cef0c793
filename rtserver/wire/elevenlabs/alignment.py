"""When each character of a text is heard. Pure.

Only the times of words are known, so the characters of a word share its time evenly. Clients put the characters of all
messages together and cut them into words again, so what is between words must be in the characters too.
"""

from __future__ import annotations

from dataclasses import dataclass

from rtserver.messages.wire import Mark


@dataclass(frozen=True)
class TimedCharacters:
    """Characters, each with when it begins and ends."""

    characters: list[str]
    starts_ms: list[int]
    ends_ms: list[int]

    def on_a_socket(self) -> dict[str, object]:
        """As a message of a socket has them."""
        durations_ms = [end - start for start, end in zip(self.starts_ms, self.ends_ms)]
        return {"chars": self.characters, "charStartTimesMs": self.starts_ms, "charDurationsMs": durations_ms}

    def over_http(self) -> dict[str, object]:
        """As an answer over HTTP has them."""
        return {
            "characters": self.characters,
            "character_start_times_seconds": [start / 1000 for start in self.starts_ms],
            "character_end_times_seconds": [end / 1000 for end in self.ends_ms],
        }


class Alignment:
    """The characters of one context.

    With `restarts` the times of a piece count from the end of the piece before, and each piece ends with a space. That
    is how pipecat reads them: it adds up the lengths of the pieces, and takes a word only when a space follows.
    """

    def __init__(self, *, restarts: bool) -> None:
        self._restarts = restarts
        self._words: list[Mark] = []  # not taken yet
        self._text_end = 0  # of the last word that was taken, in characters of all text
        self._end_ms = 0  # the same word's end
        self._spaced = True  # whether the last character that was taken is a space, or there was none yet

    def add(self, word: Mark) -> None:
        """The next word."""
        self._words.append(word)

    def take(self) -> TimedCharacters | None:
        """The characters since the last call; None when there are none."""
        if not self._words:
            return None
        from_ms = self._end_ms if self._restarts else 0
        taken = TimedCharacters([], [], [])
        for word in self._words:
            if word.offset > self._text_end and not self._spaced:
                _put(taken, " ", self._end_ms - from_ms, word.start_ms - from_ms)
            _put(taken, word.text, word.start_ms - from_ms, word.end_ms - from_ms)
            self._text_end, self._end_ms, self._spaced = word.offset + len(word.text), word.end_ms, False
        if self._restarts:
            _put(taken, " ", self._end_ms - from_ms, self._end_ms - from_ms)
            self._spaced = True
        self._words.clear()
        return taken


def _put(to: TimedCharacters, text: str, start_ms: int, end_ms: int) -> None:
    """Shares the time among the characters."""
    bounds_ms = [start_ms + (end_ms - start_ms) * place // len(text) for place in range(len(text) + 1)]
    to.characters.extend(text)
    to.starts_ms.extend(bounds_ms[:-1])
    to.ends_ms.extend(bounds_ms[1:])
