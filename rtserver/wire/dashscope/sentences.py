"""The sentences of a task as DashScope's clients are told of them. Pure.

A sentence begins with the sound in which its first word is heard, and ends with the sound before the next sentence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from cosyvoice.frontend.language import HAN
from rtserver.messages import wire

_SENTENCE_END = re.compile(r"[。！？!?；;…\n]+[”’\"'」』）)]*|\.+[”’\"')]*(?=\s)")
_HAN = re.compile(f"[{HAN}]")


class Sentences:
    """What is told: `output` and `usage` of each event, without the sound."""

    def __init__(self, *, tells_times: bool) -> None:
        self._tells_times = tells_times
        self._text = ""
        self._cuts: list[int] = []  # lengths of the text at each flush
        self._index = -1  # of the sentence that is spoken, or was
        self._start = 0  # where it begins in the text, or the next one
        self._is_open = False
        self._words: list[dict[str, object]] = []

    @property
    def characters(self) -> int:
        """The length of all text, as DashScope counts it."""
        return _characters(self._text)

    def add(self, text: str) -> None:
        """The client has sent text."""
        self._text += text

    def cut(self) -> None:
        """The text so far is flushed: a sentence ends with it."""
        if self._cuts[-1:] != [len(self._text)]:
            self._cuts.append(len(self._text))

    def word(self, mark: wire.Mark) -> Sequence[dict[str, Any]]:
        """A word begins in the sound that comes next."""
        told = self.end() if self._is_open and mark.offset >= self._end else ()
        while not self._is_open and self._start < self._end <= mark.offset:
            self._start = self._end  # a sentence without words
        begun = self._begin()
        word = {"text": mark.text, "begin_index": mark.offset - self._start}
        word["end_index"] = mark.offset - self._start + len(mark.text)
        self._words.append(word | {"begin_time": mark.start_ms, "end_time": mark.end_ms})
        return (*told, *begun)

    def sound(self) -> Sequence[dict[str, Any]]:
        """Sound comes next. The last event belongs to it."""
        return (*self._begin(), self._told("sentence-synthesis"))

    def end(self) -> Sequence[dict[str, Any]]:
        """The sentence that is spoken is over, if there is one."""
        if not self._is_open:
            return ()
        told = self._told("sentence-end")
        self._is_open, self._start, self._words = False, self._end, []
        return (told,)

    @property
    def _end(self) -> int:
        """Where the sentence ends in the text so far."""
        found = _SENTENCE_END.search(self._text, self._start)
        end = len(self._text) if found is None else found.end()
        return min((end, *(cut for cut in self._cuts if cut > self._start)))

    def _begin(self) -> Sequence[dict[str, Any]]:
        if self._is_open:
            return ()
        self._is_open = True
        self._index += 1
        return (self._told("sentence-begin"),)

    def _told(self, kind: str) -> dict[str, Any]:
        is_end = kind == "sentence-end"
        words = self._words if is_end and self._tells_times else []
        told: dict[str, Any] = {"output": {"type": kind, "sentence": {"index": self._index, "words": words}}}
        if kind != "sentence-synthesis":
            told["output"]["original_text"] = self._text[self._start : self._end]
        if is_end:
            told["usage"] = {"characters": _characters(self._text[: self._end])}
        return told


def _characters(text: str) -> int:
    """A Han character counts as two."""
    return len(text) + sum(1 for _ in _HAN.finditer(text))
