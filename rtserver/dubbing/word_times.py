"""Writes WebVTT in which each word has its time. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rtserver.dubbing.placement import Placed


@dataclass(frozen=True)
class Word:
    """A word of a part."""

    text: str
    # Characters of the part's text before it.
    offset: int
    # From the begin of its speech.
    start_ms: int


def vtt_with_words(spoken: Iterable[tuple[Placed, str, Sequence[Word]]]) -> str:
    """A cue for each part, from its place, the name of its voice, and its words: the times of its speech in the track,
    the voice, and the time of each word."""
    return "\n\n".join(["WEBVTT", *(_cue(*one) for one in spoken)]) + "\n"


def _cue(placed: Placed, voice: str, words: Sequence[Word]) -> str:
    begin_ms, end_ms = round(placed.begin_s * 1000), round(placed.end_s * 1000)
    text = "".join(_timed(words, begin_ms, end_ms)) or _escaped(placed.part.text)
    return f"{_time(begin_ms)} --> {_time(end_ms)}\n<v {_escaped(voice)}>{text}"


def _timed(words: Sequence[Word], begin_ms: int, end_ms: int) -> Iterator[str]:
    """The words with what stands between them. A time must be later than the one before it, and earlier than the cue's
    end; a word without such a time stands beside the word before it."""
    last_ms = begin_ms
    for index, word in enumerate(words):
        at_ms = begin_ms + word.start_ms
        if last_ms < at_ms < end_ms:
            last_ms = at_ms
            yield f"<{_time(at_ms)}>"
        yield _escaped(word.text)
        follows = words[index + 1].offset if index + 1 < len(words) else 0
        if follows > word.offset + len(word.text):
            yield " "


def _time(ms: int) -> str:
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}.{ms:03}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
