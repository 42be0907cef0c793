"""The queue of messages that wait to be sent on one socket. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from rtserver.messages import wire

_MESSAGE_BYTES = 256  # every message without sound counts as this many bytes


@dataclass(frozen=True)
class Closing:
    """The socket closes when everything before this has been sent."""

    close_code: int
    reason: str


# A whole text frame or binary frame that the wire sends without the session.
WsFrame = str | bytes
Item = wire.ServerMessage | Closing | WsFrame


@dataclass
class Outbox:
    """First in, first out. Sound of a stream can be removed while it waits."""

    # Bytes of all that waits.
    waiting_bytes: int = 0
    # Bytes of what waits and is not sound.
    answer_bytes: int = 0
    _items: deque[Item] = field(default_factory=deque)

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: Item) -> None:
        self._items.append(item)
        self._count(item, 1)

    def pop(self) -> Item:
        """Takes the next item to send. IndexError when nothing waits."""
        item = self._items.popleft()
        self._count(item, -1)
        return item

    @property
    def next_sound(self) -> wire.Audio | None:
        """The next item, if it is a frame of sound; else None."""
        return item if self._items and isinstance(item := self._items[0], wire.Audio) else None

    def pop_sound(self, most_bytes: int) -> list[wire.Audio]:
        """Takes the next frames of sound, all of one stream: at least one, together at most `most_bytes`."""
        items = self._items
        frames: list[wire.Audio] = []
        sound_bytes = 0
        while items and isinstance(item := items[0], wire.Audio):
            size = len(item.data)
            if frames and (item.stream != frames[0].stream or sound_bytes + size > most_bytes):
                break
            sound_bytes += size
            frames.append(item)
            items.popleft()
        self.waiting_bytes -= sound_bytes + _MESSAGE_BYTES * len(frames)
        return frames

    def discard(self, stream: int) -> wire.Audio | None:
        """Removes the frames of a stream, with the marks and `flushed` of its context. Returns the first of these
        frames.

        It searches from the newest item back to the context's `started`, because an earlier context may have had the
        same name.
        """
        first = next((i for i in self._items if isinstance(i, wire.Audio) and i.stream == stream), None)
        if first is None:
            return None
        context = first.context
        kept: deque[Item] = deque()
        while self._items:
            item = self.pop_last()
            if isinstance(item, wire.Done | wire.Cancelled) and item.context == context:
                self.put(item)
                break
            belongs = isinstance(item, wire.Audio | wire.Mark | wire.Flushed) and item.context == context
            if not belongs:
                kept.appendleft(item)
            if isinstance(item, wire.Started) and item.stream == stream:
                break
        for item in kept:
            self.put(item)
        return first

    def pop_last(self) -> Item:
        """Takes the newest item. IndexError when nothing waits."""
        item = self._items.pop()
        self._count(item, -1)
        return item

    def _count(self, item: Item, sign: int) -> None:
        if isinstance(item, wire.Audio):  # most items
            self.waiting_bytes += sign * (_MESSAGE_BYTES + len(item.data))
            return
        size = sign * (len(item) if isinstance(item, (str, bytes)) else _MESSAGE_BYTES)
        self.waiting_bytes += size
        self.answer_bytes += size
