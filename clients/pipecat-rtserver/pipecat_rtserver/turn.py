"""One turn of an agent: its text, which comes in pieces, and the speech that says it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable

from rtclient import Speech


class Turn:
    """The text of one audio context. It can be read again from its beginning, for a second try."""

    def __init__(self) -> None:
        self.speech: Speech | None = None
        # Whether the user interrupted it.
        self.interrupted = False
        self._pieces: list[str] = []
        self._ended = False
        self._more = asyncio.Event()

    def write(self, text: str) -> None:
        """Appends text."""
        self._pieces.append(text)
        self._more.set()

    def end(self) -> None:
        """No more text comes."""
        self._ended = True
        self._more.set()

    async def pieces(self) -> AsyncIterator[str]:
        """The text from its beginning, as it comes."""
        at = 0
        while at < len(self._pieces) or not self._ended:
            while at < len(self._pieces):
                yield self._pieces[at]
                at += 1
            self._more.clear()
            if not self._ended:
                await self._more.wait()


class Spacing:
    """The spaces between the words of a text. pipecat takes them off, and would put one between two Han characters."""

    def __init__(self) -> None:
        self._words: deque[str] = deque()

    def add(self, words: Iterable[str]) -> None:
        """The next words, each with the space before it."""
        self._words.extend(words)

    def before(self, text: str) -> str:
        """What stands before this word, which is the next one or a later one."""
        for at, word in enumerate(self._words):
            if word.strip() == text:
                for _ in range(at + 1):
                    self._words.popleft()
                return " " if word[0].isspace() else ""
        return " "


class Delay:
    """How long playback stood still because sound came late, so that words after it are told later."""

    def __init__(self) -> None:
        self.so_far_s = 0.0
        self._begun_s: float | None = None

    def sound(self, start_ms: int, now_s: float) -> None:
        """Sound from this place of the speech on has come."""
        if self._begun_s is None:
            self._begun_s = now_s
        self.so_far_s += max(0.0, now_s - (self._begun_s + start_ms / 1000 + self.so_far_s))
