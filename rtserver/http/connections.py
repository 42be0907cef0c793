"""How aiohttp runs the server's connections: nothing that comes in is unpacked, and no request is awaited for ever."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any, cast

from aiohttp import web
from aiohttp.http import HttpProcessingError
from aiohttp.web_protocol import _ErrInfo

from rtserver.config import ServerConfig
from rtserver.http.answers import refusal
from rtserver.http.fair_reading import PIECE_BYTES, FairReading
from rtserver.http.oneshot import unread

_LOG = logging.getLogger(__name__)

_TELL_EVERY_S = 10.0
_LATE = (
    b"HTTP/1.1 408 Request Timeout\r\nContent-Type: text/plain\r\nContent-Length: 43\r\nConnection: close\r\n\r\n"
    b"expected the head of a request, found none\n"
)


class Runner(web.AppRunner):
    """Runs the application. `shutdown_s` is how long requests have to finish when it is cleaned up. `most` connections
    may be open; None: any number. More are closed at once, so that descriptors are left for other things."""

    def __init__(
        self, application: web.Application, config: ServerConfig, shutdown_s: float, most: int | None = None
    ) -> None:
        super().__init__(application, handle_signals=False, shutdown_timeout=shutdown_s)
        self._head_s = config.head_s
        self._most = most
        self._options = {"access_log": None, "auto_decompress": False, "keepalive_timeout": config.keepalive_s}

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(made, self._head_s, self._options, self._most)


class _Server(web.Server):
    """Makes the connections in place of aiohttp's own server."""

    def __init__(self, made: web.Server, head_s: float, options: dict[str, Any], most: int | None) -> None:
        super().__init__(made.request_handler, request_factory=made.request_factory)
        self._head_s = head_s
        self._options = options
        self._most = most
        self._told_s = float("-inf")
        self.reading = FairReading()

    def __call__(self) -> web.RequestHandler:
        return _Connection(self, asyncio.get_running_loop(), self._head_s, self._options)

    def has_room(self) -> bool:
        """Whether one more connection may stay. The log tells now and then that there is none."""
        if self._most is None or len(self.connections) < self._most:
            return True
        now_s = time.monotonic()
        if now_s - self._told_s >= _TELL_EVERY_S:
            self._told_s = now_s
            _LOG.warning("all connections are taken: others are closed", extra={"connections": self._most})
        return False


class _Connection(web.RequestHandler):
    """Answers 408 when the head of a request takes too long. aiohttp itself only bounds the time until it is whole or
    nothing is asked, which must be longer. What is read is parsed as `FairReading` says: nothing more is read
    meanwhile."""

    __slots__ = ("_head_s", "_is_taken", "_late", "_server", "_unparsed", "_waits_for_turn")

    def __init__(
        self, manager: _Server, loop: asyncio.AbstractEventLoop, head_s: float, options: dict[str, Any]
    ) -> None:
        super().__init__(manager, loop=loop, **options)
        self._server = manager
        self._is_taken = False  # whether there was room for it
        self._head_s = head_s
        self._late: asyncio.TimerHandle | None = None
        self._unparsed = memoryview(b"")
        self._waits_for_turn = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._is_taken = self._server.has_room()
        if self._is_taken:
            super().connection_made(transport)
        else:
            cast(asyncio.Transport, transport).abort()

    def data_received(self, data: bytes) -> None:
        if data and (len(data) > PIECE_BYTES or self._server.reading.is_busy or self._unparsed):
            self._unparsed = memoryview(bytes(self._unparsed) + data)
            self._pause_transport_reading()
            self._wait_for_turn()
        else:  # aiohttp calls it without data when it goes on with what its parser holds
            self._parse(data)

    def parse_piece(self) -> None:
        self._waits_for_turn = False
        transport = self.transport
        if self._is_paused or transport is None:
            return
        piece, self._unparsed = bytes(self._unparsed[:PIECE_BYTES]), self._unparsed[PIECE_BYTES:]
        try:
            self._parse(piece)
        except Exception:
            transport.abort()  # as the loop does after a fault of data_received
            raise
        if not self._is_paused:
            self._resume_transport_reading()

    @property
    def _is_paused(self) -> bool:
        """Whether aiohttp takes nothing more for now."""
        return self._reading_paused or self._buffer_paused

    def _resume_transport_reading(self) -> None:
        """aiohttp calls it when it takes more: first what was read before."""
        if self._unparsed:
            self._wait_for_turn()
        else:
            super()._resume_transport_reading()

    def _wait_for_turn(self) -> None:
        if not self._waits_for_turn:
            self._waits_for_turn = True
            self._server.reading.add(self)

    def _parse(self, data: bytes) -> None:
        super().data_received(data)
        if self._awaits_request:
            if self._late is None:
                self._late = asyncio.get_running_loop().call_later(self._head_s, self._give_up)
        elif self._late is not None:
            self._late.cancel()
            self._late = None

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What is no HTTP is the client's fault: it is answered like other faults of clients, and fills no log. Nor
        does a client that hung up while something was written to it."""
        hung_up = isinstance(exc, ConnectionError) and (self.transport is None or self.transport.is_closing())
        if exc is not None and (hung_up or isinstance(exc, HttpProcessingError)):
            # Its frames refer to it. Without them the connection is freed at once, not only by the garbage collector.
            exc.__traceback__ = None
        if hung_up:
            return unread()
        if not isinstance(exc, HttpProcessingError):
            return super().handle_error(request, status, exc, message)
        found = " ".join(exc.message.split())[:100]
        _LOG.debug("a client at %s sent no HTTP: %s", request.remote, found)
        answer = refusal(status, {"code": "bad_message", "message": f"expected HTTP, found a fault: {found}"})
        answer.force_close()
        return answer

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._late is not None:
            self._late.cancel()
        for message, _ in self._messages:
            if isinstance(message, _ErrInfo):  # nobody waits for its answer; see handle_error
                message.exc.__traceback__ = None
        if self._is_taken:
            super().connection_lost(exc)

    @property
    def _awaits_request(self) -> bool:
        """Whether no request is being answered, so that what comes is the head of one."""
        return self._waiter is not None and not self._waiter.done()

    def _give_up(self) -> None:
        if self._awaits_request and self.transport is not None:
            self.transport.write(_LATE)
            self.force_close()
