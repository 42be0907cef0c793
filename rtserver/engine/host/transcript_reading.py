"""Has the transcripts of voice prompts read by the reader process, which has loaded what phonemes need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from rtserver.ipc.engine import Failed
from rtserver.ipc.preparing import PreparationKey, Prepared
from rtserver.ipc.reading import OpenText, Read


class OpenedText(Protocol):
    """A text that is being read."""

    def write(self, text: str) -> None: ...

    def end(self) -> None: ...

    def drop(self) -> None: ...


# Begins a text. What is read of it comes through the second argument, never during the call.
BeginText = Callable[[OpenText, Callable[[Read | Failed], None]], OpenedText]


@dataclass
class _Transcript:
    """One that is not read to its end."""

    text: OpenedText
    ids: list[int] = field(default_factory=list)


class TranscriptReading:
    """The transcripts that are being read. Every request that is not dismissed gets one answer, through `answer`."""

    def __init__(self, read_text: BeginText, answer: Callable[[Prepared], None]) -> None:
        self._read_text = read_text
        self._answer = answer
        self._transcripts: dict[PreparationKey, _Transcript] = {}
        self._begun = 0

    @property
    def wanted(self) -> int:
        """How many requests are not answered yet."""
        return len(self._transcripts)

    def request(self, key: PreparationKey) -> None:
        """Begins to read a transcript; does not wait."""
        if key in self._transcripts:  # the acoustic process was replaced, and asks again
            return
        self._begun += 1
        name = f"transcript-{self._begun}"
        text = self._read_text(OpenText(name), lambda answer: self._take(key, answer))
        self._transcripts[key] = _Transcript(text)
        text.write(key.what)
        text.end()

    def dismiss(self, key: PreparationKey) -> None:
        """Nobody waits for this any more."""
        if (transcript := self._transcripts.pop(key, None)) is not None:
            transcript.text.drop()

    def close(self) -> None:
        """Answers nothing any more."""
        for key in list(self._transcripts):
            self.dismiss(key)

    def _take(self, key: PreparationKey, answer: Read | Failed) -> None:
        transcript = self._transcripts.get(key)
        if transcript is None:
            return
        if isinstance(answer, Failed):
            del self._transcripts[key]
            self._answer(Prepared(key, answer.code, f"prompt_text: {answer.message}"))
            return
        transcript.ids += [i for segment in answer.segments for i in segment.ids]
        if not answer.boundaries:
            return
        del self._transcripts[key]
        if transcript.ids:
            self._answer(Prepared(key, ids=transcript.ids))
        else:
            what = f"prompt_text: expected words that can be spoken, found {key.what[:40]!r:.60}"
            self._answer(Prepared(key, "bad_message", what))
