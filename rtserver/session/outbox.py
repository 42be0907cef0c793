"""What waits to be sent on one socket. Pure: order, discarding, and how many bytes wait."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from rtserver.messages import wire

_MESSAGE_BYTES = 256  # what a control message is counted as


@dataclass(frozen=True)
class Closing:
    """The socket closes when everything before this has been sent."""

    close_code: int
    reason: str


# A whole text frame or binary frame that the wire itself has to send.
WsFrame = str | bytes
Item = wire.ServerMessage | Closing | WsFrame


@dataclass
class Outbox:
    """First in, first out; sound of a stream can be taken back while it waits."""

    waiting_bytes: int = 0
    _items: deque[Item] = field(default_factory=deque)

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: Item) -> None:
        self._items.append(item)
        self.waiting_bytes += _size(item)

    def pop(self) -> Item:
        """The next to send. IndexError when nothing waits."""
        item = self._items.popleft()
        self.waiting_bytes -= _size(item)
        return item

    @property
    def next_sound(self) -> wire.Audio | None:
        """The frame that is the next to send; None when that is something else."""
        return item if self._items and isinstance(item := self._items[0], wire.Audio) else None

    def pop_sound(self, most_bytes: int) -> list[wire.Audio]:
        """The frames of one stream that are the next to send: as many as `most_bytes` hold, but at least one."""
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

    def discard(self, stream: int) -> None:
        """Takes back what waits of a living context: its frames, and the marks and `flushed` that speak of them. Newest
        first, down to the context's `started`: a name may have been used before."""
        context = next((i.context for i in self._items if isinstance(i, wire.Audio) and i.stream == stream), None)
        if context is None:
            return
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

    def pop_last(self) -> Item:
        """The newest. IndexError when nothing waits."""
        item = self._items.pop()
        self.waiting_bytes -= _size(item)
        return item


def _size(item: Item) -> int:
    if isinstance(item, wire.Audio):
        return _MESSAGE_BYTES + len(item.data)
    return len(item) if isinstance(item, str | bytes) else _MESSAGE_BYTES
