"""Which text is read next: every utterance gets a slice in turn, so that a long text delays nobody. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from cosyvoice.errors import CosyVoiceError
from cosyvoice.frontend.text_stream import TextStream
from rtserver.ipc.engine import Failed
from rtserver.ipc.reading import Boundary, Drop, OpenText, Read, Write
from rtserver.reader.text_front import engine_segments

# Reading so many takes some milliseconds, also of Han characters, which take longest.
SLICE_CHARACTERS = 50


@dataclass
class _Text:
    """One utterance's text: what waits to be read, and how many boundaries are answered."""

    stream: TextStream
    # Each with when the front sent it.
    waiting: deque[tuple[str | Boundary, float]] = field(default_factory=deque)
    boundaries: int = 0
    # How many of the stream's `unspoken` are told.
    told: int = 0


class Desk:
    """`open_stream` makes the stream of a new utterance."""

    def __init__(self, open_stream: Callable[[OpenText], TextStream]) -> None:
        self._open_stream = open_stream
        self._texts: dict[str, _Text] = {}
        self._turns: deque[str] = deque()  # utterances with something to read, the next one first

    def take(self, message: OpenText | Write | Boundary | Drop) -> None:
        """Notes a message. About an utterance that is not open it is nothing."""
        name = message.utterance
        if isinstance(message, OpenText):
            self._texts[name] = _Text(self._open_stream(message))
            return
        if isinstance(message, Drop):
            self._forget(name)
            return
        text = self._texts.get(name)
        if text is None:
            return
        if not text.waiting:
            self._turns.append(name)
        if isinstance(message, Boundary):
            text.waiting.append((message, message.sent_s))
        else:
            text.waiting.extend(
                (message.text[at : at + SLICE_CHARACTERS], message.sent_s)
                for at in range(0, len(message.text), SLICE_CHARACTERS)
            )
            if not text.waiting:  # no characters at all
                self._turns.pop()

    @property
    def busy(self) -> bool:
        """Whether `work` has something to do."""
        return bool(self._turns)

    @property
    def next(self) -> tuple[str, float]:
        """The utterance that `work` reads for next, and when the front sent what it reads."""
        name = self._turns[0]
        return name, self._texts[name].waiting[0][1]

    def work(self) -> Read | Failed | None:
        """Reads one slice, or answers one mark, of the next utterance: the answer, if there is one."""
        name = self._turns.popleft()
        text = self._texts[name]
        item, _ = text.waiting.popleft()
        try:
            if isinstance(item, str):
                segments = text.stream.feed(item)
            else:
                segments = {"flush": text.stream.flush, "end": text.stream.end, "commit": text.stream.commit}[
                    item.kind
                ]()
        except CosyVoiceError as error:
            self._forget(name)
            return Failed(name, "bad_message", str(error))
        except Exception as error:  # a text that some library cannot read must not silence the others
            self._forget(name)
            return Failed(name, "internal", f"the text cannot be read: {type(error).__name__}: {error}")
        if text.waiting:
            self._turns.append(name)
        unspoken = [(left_out.offset, left_out.text, left_out.reason) for left_out in text.stream.unspoken[text.told :]]
        if isinstance(item, str) and not segments and not unspoken:
            return None
        text.told += len(unspoken)
        text.boundaries += isinstance(item, Boundary)
        answer = Read(name, engine_segments(segments), text.boundaries, unspoken)
        if isinstance(item, Boundary) and item.kind == "end":
            self._forget(name)
        return answer

    def _forget(self, name: str) -> None:
        if self._texts.pop(name, None) is not None and name in self._turns:
            self._turns.remove(name)
