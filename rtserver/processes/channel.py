"""The parent's end of the socket to a child: messages come in by callback and go out without waiting."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import cast

from rtserver.ipc.framing import FrameReader, encode
from rtserver.ipc.message import Message
from rtserver.messages.codec import MessageError

# The most that may wait for a process that does not read. All text of 32 long utterances is a few MiB.
MAX_UNSENT_BYTES = 32 << 20


class Channel(asyncio.Protocol):
    """Made by `connect`. `lost` gets the reason when the other end is gone, sends what is no message, or does not
    read. No message comes after that."""

    def __init__(self, on_message: Callable[[Message], None], max_unsent_bytes: int) -> None:
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._on_message = on_message
        self._max_unsent_bytes = max_unsent_bytes
        self._frames = FrameReader()
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def connect(
        cls,
        sock: socket.socket,
        on_message: Callable[[Message], None],
        max_unsent_bytes: int = MAX_UNSENT_BYTES,
    ) -> Channel:
        """Takes over a connected socket."""
        loop = asyncio.get_running_loop()
        _, channel = await loop.create_unix_connection(lambda: cls(on_message, max_unsent_bytes), sock=sock)
        return channel

    def send(self, message: Message) -> None:
        """Writes one message. A lost channel drops it."""
        if self._transport is None or self.lost.done():
            return
        self._transport.write(encode(message))
        unsent_bytes = self.unsent_bytes
        if unsent_bytes > self._max_unsent_bytes:
            self._lose(f"it reads nothing: {unsent_bytes} bytes wait for it")

    @property
    def unsent_bytes(self) -> int:
        """Bytes that the other end has not taken yet."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def close(self) -> None:
        """Closes the socket after what was sent. No message comes any more."""
        if not self.lost.done():
            self.lost.set_result("closed here")
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Closes the socket now. What was not sent is lost."""
        self._lose("closed here")

    # -- asyncio.Protocol -------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            messages = self._frames.feed(data)
        except MessageError as error:
            self._lose(f"it sent no message: {error}")
            return
        for message in messages:
            if self.lost.done():  # closed by what a message led to
                return
            self._on_message(message)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None  # asyncio's own cannot be aborted any more
        if not self.lost.done():
            self.lost.set_result("it closed its socket" if exc is None else str(exc))

    def _lose(self, reason: str) -> None:
        if not self.lost.done():
            self.lost.set_result(reason)
        if self._transport is not None:
            self._transport.abort()
