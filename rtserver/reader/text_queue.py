"""Which text is read next: every utterance gets a slice in turn, so that a long text delays nobody. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from cosyvoice.errors import CosyVoiceError
from cosyvoice.frontend.text_stream import SHORT_STRETCH, ReadSegment, TextStream
from rtserver.ipc.engine import Failed
from rtserver.ipc.reading import Boundary, Drop, NotAsWritten, OpenText, Read, Write
from rtserver.reader.text_front import engine_segments

# The most characters of new text that a turn cuts.
SLICE_CHARACTERS = 50
# A turn reads clauses until they have this many bytes of UTF-8 together. Bytes, because a Han character takes about as
# long as three letters.
TURN_BYTES = 24


@dataclass
class _Text:
    """One utterance's text: what waits to be read, and what was answered."""

    stream: TextStream
    # Each with when the front sent it.
    waiting: deque[tuple[str | Boundary, float]] = field(default_factory=deque)
    # The segments of the first of these that are not read yet. None: it is not begun.
    reading: Iterator[ReadSegment] | None = None
    # How many boundaries are answered.
    boundaries: int = 0
    # How many of the stream's `unspoken` are told.
    told: int = 0

    def read(self, item: str | Boundary, segments: list[ReadSegment]) -> bool:
        """Reads the next clauses of an item into `segments`, as many as fit into a turn. Returns whether the item is
        read to its end."""
        if self.reading is None:
            self.reading = self._read(item)
        read_bytes = 0
        for segment in self.reading:
            segments.append(segment)
            read_bytes += len(segment.text.encode())
            if read_bytes >= TURN_BYTES:
                return False
        self.reading = None
        return True

    def _read(self, item: str | Boundary) -> Iterator[ReadSegment]:
        if isinstance(item, str):
            return self.stream.iter_feed(item)
        match item.kind:
            case "flush":
                return self.stream.iter_flush()
            case "end":
                return self.stream.iter_end()
            case "commit":
                return iter(self.stream.commit())
            case "offer":
                return iter(self.stream.commit(SHORT_STRETCH))


class TextQueue:
    """All open texts, and whose turn it is. `open_stream` makes the stream of a new utterance."""

    def __init__(self, open_stream: Callable[[OpenText], TextStream]) -> None:
        self._open_stream = open_stream
        self._texts: dict[str, _Text] = {}
        self._turns: deque[str] = deque()  # utterances with something to read, the next one first

    def take(self, message: OpenText | Write | Boundary | Drop) -> None:
        """Notes a message. One about an utterance that is not open is ignored."""
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
        """Does the next utterance's turn: reads some clauses of a slice, or answers a boundary. Returns the answer, if
        there is one."""
        name = self._turns.popleft()
        text = self._texts[name]
        item, _ = text.waiting[0]
        segments: list[ReadSegment] = []
        try:
            complete = text.read(item, segments)
        except CosyVoiceError as error:
            self._forget(name)
            return Failed(name, "bad_message", str(error))
        except Exception as error:  # a text that some library cannot read must not silence the others
            self._forget(name)
            return Failed(name, "internal", f"the text cannot be read: {type(error).__name__}: {error}")
        boundary = item if complete and isinstance(item, Boundary) else None
        if complete:
            text.waiting.popleft()
        if text.waiting:
            self._turns.append(name)
        unspoken = [NotAsWritten(place.offset, place.text, place.reason) for place in text.stream.unspoken[text.told :]]
        if boundary is None and not segments and not unspoken:
            return None
        text.told += len(unspoken)
        text.boundaries += boundary is not None
        answer = Read(name, engine_segments(segments), text.boundaries, unspoken)
        if boundary is not None and boundary.kind == "end":
            self._forget(name)
        return answer

    def _forget(self, name: str) -> None:
        if self._texts.pop(name, None) is not None and name in self._turns:
            self._turns.remove(name)
