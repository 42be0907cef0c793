"""The life of one client's WebSocket, the same for every dialect: opening, pings, writing, closing."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence

from aiohttp import WSCloseCode, WSMsgType, web

from rtserver.session.outbox import WsFrame
from rtserver.wire.dialect import FrameKind
from rtserver.wire.socket_frames import PING, PONG, control_frame

_LOG = logging.getLogger(__name__)

PING_INTERVAL_S = 20.0
# A peer is gone when it has sent nothing, not even a pong, while this many pings went out. Pings are counted, not time:
# after the machine has slept, the peer's answers may still wait to be read.
DEAD_AFTER_PINGS = 3
# What the kernel may hold of a socket's sound: enough for the network, little for a listener that does not read.
SEND_BUFFER_BYTES = 256 << 10
# Pings and pongs are left out while more than this waits in the transport: a client that reads nothing needs none.
CONTROL_BELOW_BYTES = 64 << 10
CLOSE_GRACE_S = 5.0

# Decides how fast a socket is read.
Pace = Callable[[int], Awaitable[None]]


class Socket:
    """One client's WebSocket. A frame larger than `frame_bytes` closes it (1009) once its length is read."""

    def __init__(self, subprotocols: Sequence[str], frame_bytes: int) -> None:
        # Pings are answered here: aiohttp's own heartbeat drops a peer that is silent for half the interval.
        self._ws = web.WebSocketResponse(
            protocols=subprotocols,
            compress=False,
            autoping=False,
            writer_limit=0,  # every send waits while the transport is full
            max_msg_size=frame_bytes,
        )
        self._unanswered_pings = 0
        self._transport: asyncio.Transport | None = None
        self._aborted = False

    @property
    def is_open(self) -> bool:
        """Whether frames can be written."""
        return self._transport is not None and not self._transport.is_closing() and not self._ws.closed

    async def open(self, request: web.Request) -> web.WebSocketResponse:
        """Answers the handshake. What it returns is what the request's handler returns."""
        await self._ws.prepare(request)
        self._transport = request.transport
        sock: socket.socket | None = None if request.transport is None else request.transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        return self._ws

    # -- in ---------------------------------------------------------------------------------------------------------

    async def frames(self, takes: Collection[FrameKind], pace: Pace) -> AsyncGenerator[WsFrame]:
        """What the client sends, until the socket is over. A frame of a kind that is not taken closes it (1003). `pace`
        is told the size of each frame, pings too, and returns when it may be handled."""
        async for message in self._ws:
            self._unanswered_pings = 0
            await pace(0 if message.data is None or message.type is WSMsgType.ERROR else len(message.data))
            if not self.is_open:
                return  # the peer is gone: nobody hears an answer to what else it sent, of which there may be minutes
            if message.type is WSMsgType.PING:
                self._control(PONG, message.data)
            elif message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                found: FrameKind = "text" if message.type is WSMsgType.TEXT else "binary"
                if found not in takes:
                    what = f"expected {' or '.join(takes)} frames, found a {found} one"
                    await self.close(WSCloseCode.UNSUPPORTED_DATA, what)
                    return
                yield message.data
            elif message.type is WSMsgType.ERROR:
                return

    async def ping(self) -> None:
        """Pings the client as long as the socket lives, and drops it when it does not answer."""
        while True:
            await asyncio.sleep(PING_INTERVAL_S)
            if self._unanswered_pings >= DEAD_AFTER_PINGS:
                silent_s = DEAD_AFTER_PINGS * PING_INTERVAL_S
                _LOG.info("a peer has answered no ping for %.0f s: its socket is dropped", silent_s)
                self._abort()
                return
            self._unanswered_pings += 1
            self._control(PING)

    # -- out --------------------------------------------------------------------------------------------------------

    async def send(self, frame: WsFrame) -> None:
        """Sends a text or a binary frame; waits while the transport is full. Raises ConnectionError."""
        if isinstance(frame, str):
            await self._ws.send_str(frame)
        else:
            await self._ws.send_bytes(frame)

    @property
    def is_drained(self) -> bool:
        """Whether the client has taken all that was written, so that more may be."""
        transport = self._transport
        return transport is not None and not transport.get_write_buffer_size() and self.is_open

    def write(self, frames: bytes) -> None:
        """Writes whole WebSocket frames, while the socket is drained."""
        assert self._transport is not None, "is_drained tells when the socket is not open"
        self._transport.write(frames)

    def _control(self, opcode: int, payload: bytes = b"") -> None:
        """A ping or pong. It does not wait: with a client that is slow to take sound, reading would otherwise wait to
        answer its ping."""
        transport = self._transport
        if transport is not None and self.is_open and transport.get_write_buffer_size() < CONTROL_BELOW_BYTES:
            transport.write(control_frame(opcode, payload))

    # -- the end ----------------------------------------------------------------------------------------------------

    async def close(self, code: int, reason: str, grace_s: float = CLOSE_GRACE_S) -> None:
        """Closes in order, if it is not closed yet. A peer that takes no part in it is dropped after `grace_s`.
        Otherwise one that reads nothing would keep its transport for ever, since that still has something to send."""
        if not (self._aborted or self._ws.closed):
            await self._close(code, reason, grace_s)
        # aiohttp keeps the errors that ended the socket. Their frames refer to the socket: only the garbage collector
        # would free it.
        error = self._ws.exception()
        while error is not None:
            error.__traceback__, error = None, error.__context__

    async def _close(self, code: int, reason: str, grace_s: float) -> None:
        transport = self._transport
        # The timer refers to the transport alone: it may outlast the socket.
        drop = None if transport is None else asyncio.get_running_loop().call_later(grace_s, transport.abort)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._ws.close(code=code, message=reason.encode()[:120])
        if transport is not None and drop is not None and not transport.get_write_buffer_size():
            drop.cancel()

    def _abort(self) -> None:
        self._aborted = True
        if self._transport is not None:
            self._transport.abort()
