"""A WebSocket client that can send anything, and hang up in any way. It reads all that comes."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import socket
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, cast

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
# in order: a close frame, and the server's is awaited. reset: RST. half: only the own direction is closed, and the
# client reads on. gone: closed without a close frame.
HangUp = Literal["in_order", "reset", "half", "gone"]
HANG_UPS: tuple[HangUp, ...] = ("in_order", "reset", "half", "gone")
_HIGH_WATER_BYTES = 1 << 18


def frame(payload: bytes, opcode: int, *, final: bool = True, masked: bool = True) -> bytes:
    """One frame. The mask is zero, so the payload stays as it is."""
    size, mask_bit = len(payload), 0x80 if masked else 0
    head = bytes([opcode | (0x80 if final else 0)])
    if size < 126:
        head += bytes([mask_bit | size])
    elif size < 1 << 16:
        head += bytes([mask_bit | 126]) + size.to_bytes(2, "big")
    else:
        head += bytes([mask_bit | 127]) + size.to_bytes(8, "big")
    return head + (bytes(4) if masked else b"") + payload


class RawSocket(asyncio.Protocol):
    """Made by `open_socket`. `on_frame` is told of each frame that comes, with its opcode and payload."""

    def __init__(self, request: bytes, on_frame: Callable[[int, bytes], None]) -> None:
        self._request = request
        self._on_frame = on_frame
        self._buffer = bytearray()
        self._may_write = asyncio.Event()
        self._may_write.set()
        self.transport: asyncio.Transport | None = None
        self._half_closed = False
        # The status line and headers of the answer to the handshake; empty until they came.
        self.answer = b""
        self.answered = asyncio.Event()
        self.over = asyncio.Event()
        # The code of the server's close frame.
        self.close_code: int | None = None
        self.pongs = 0
        self.ponged = asyncio.Event()

    @property
    def is_open(self) -> bool:
        """Whether it is a WebSocket on which both sides may still talk."""
        return self.answer.startswith(b"HTTP/1.1 101") and self.close_code is None and not self.over.is_set()

    async def write(self, data: bytes) -> None:
        """Writes bytes as they are, while the socket is not over; waits while the server does not read."""
        await self._may_write.wait()
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    async def synchronised(self, within_s: float) -> bool:
        """Whether the server answers a ping in time: it has then read all that was sent before. True if the socket was
        closed instead."""
        self.ponged.clear()
        await self.write(frame(b"sync", PING))
        return await self._either(self.ponged, within_s)

    async def hang_up(self, how: HangUp, within_s: float = 10.0) -> bool:
        """Ends the socket. False if the server took too long to end its side."""
        transport = self.transport
        if transport is None or transport.is_closing():
            return True
        match how:
            case "reset":
                with socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as sock:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                transport.abort()
            case "gone":
                transport.close()
            case "half":
                self._half_closed = True
                with contextlib.suppress(OSError):  # the server has reset the connection
                    transport.write_eof()
                return await self._ends(within_s)
            case "in_order":
                transport.write(frame((1000).to_bytes(2, "big"), CLOSE))
                return await self._ends(within_s)
        return True

    def abort(self) -> None:
        """Closes it at once, whatever was said before."""
        if self.transport is not None:
            self.transport.abort()

    async def _ends(self, within_s: float) -> bool:
        try:
            return await self._either(self.over, within_s)
        finally:
            self.abort()

    async def _either(self, event: asyncio.Event, within_s: float) -> bool:
        waits = [asyncio.ensure_future(event.wait()), asyncio.ensure_future(self.over.wait())]
        try:
            done, _ = await asyncio.wait(waits, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
            return bool(done)
        finally:
            for task in waits:
                task.cancel()

    # -- what asyncio tells -----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass
        self.transport.set_write_buffer_limits(_HIGH_WATER_BYTES)
        self.transport.write(self._request)

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self.answer:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            self.answer, self._buffer = bytes(head), rest
            self.answered.set()
        if self.answer.startswith(b"HTTP/1.1 101"):
            self._take_frames()

    def _take_frames(self) -> None:
        at, buffer = 0, self._buffer
        while len(buffer) - at >= 2:
            size, header = buffer[at + 1], 2
            if size == 126:
                header = 4
            elif size == 127:
                header = 10
            if len(buffer) - at < header:
                break
            if header > 2:
                size = int.from_bytes(buffer[at + 2 : at + header], "big")
            end = at + header + size
            if len(buffer) < end:
                break
            self._take(buffer[at] & 15, bytes(buffer[at + header : end]))
            at = end
        del buffer[:at]

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == CLOSE:
            self.close_code = int.from_bytes(payload[:2], "big") if payload else 1005
            self._answer(frame(payload, CLOSE))
        elif opcode == PONG:
            self.pongs += 1
            self.ponged.set()
        elif opcode == PING:
            self._answer(frame(payload, PONG))
        self._on_frame(opcode, payload)

    def _answer(self, data: bytes) -> None:
        if self.transport is not None and not self._half_closed:
            self.transport.write(data)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._may_write.set()
        self.answered.set()
        self.over.set()


def handshake(
    port: int, path: str, subprotocols: Sequence[str] = (), headers: Mapping[str, str] | None = None
) -> bytes:
    """The request that opens a WebSocket."""
    lines = [
        f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Upgrade: websocket", "Connection: Upgrade",
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}", "Sec-WebSocket-Version: 13",
        *([f"Sec-WebSocket-Protocol: {', '.join(subprotocols)}"] if subprotocols else []),
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]  # fmt: skip
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def open_socket(
    port: int,
    path: str,
    subprotocols: Sequence[str] = (),
    headers: Mapping[str, str] | None = None,
    on_frame: Callable[[int, bytes], None] = lambda opcode, payload: None,
    within_s: float = 30.0,
) -> RawSocket:
    """Connects and waits for the answer to the handshake, whatever it is. Without one the connection does not stay
    open, also when the caller is cancelled. Raises TimeoutError, OSError."""
    loop = asyncio.get_running_loop()
    made = RawSocket(handshake(port, path, subprotocols, headers), on_frame)
    try:
        async with asyncio.timeout(within_s):
            await loop.create_connection(lambda: made, "127.0.0.1", port)
            await made.answered.wait()
    except BaseException:
        made.abort()
        raise
    return made
