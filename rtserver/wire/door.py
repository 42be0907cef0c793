"""The door of a dialect's sockets: who comes in, and how the others are turned away."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from typing import Any

from aiohttp import WSCloseCode, web

from rtserver.front.access import Credentials, Refused
from rtserver.front.app import App
from rtserver.http.answers import no_handshake
from rtserver.http.guard import Handler
from rtserver.http.oneshot import unread
from rtserver.messages import wire
from rtserver.messages.codec import MessageError
from rtserver.messages.errors import error_message
from rtserver.session.caller import Caller
from rtserver.session.ids import new_utterance_id
from rtserver.session.outbox import Closing, WsFrame
from rtserver.session.start_request import RequestError
from rtserver.wire.conversation import Conversation, ConversationLimits, decoded
from rtserver.wire.dialect import Dialect, Handshake
from rtserver.wire.socket import Pace, Socket

# A frame beyond this many limits of a message closes the socket (1009) once its length is read: putting together some
# megabytes would hold up everybody's sound for milliseconds.
LARGEST_FRAME_LIMITS = 2
# How long a client may take to send the first message where that holds its key, and how many may be at that at once.
FIRST_MESSAGE_S = 10.0
MAX_UNKNOWN = 64
_TURN_AWAY_GRACE_S = 2.0

# How a socket closes after an error that keeps a client out; any other code closes it with 1008.
_CLOSE_CODES = {
    "overloaded": WSCloseCode.TRY_AGAIN_LATER,
    "engine_lost": WSCloseCode.TRY_AGAIN_LATER,
    "shutting_down": WSCloseCode.GOING_AWAY,
}

Make = Callable[[Handshake], Dialect[Any]]


def socket_route(app: App, make: Make) -> Handler:
    """The handler of a path on which a dialect is spoken, in the scope `speak`. `make` makes the dialect of one
    socket."""
    return _Door(app, make).enter


class _Visit:
    """One client at the door. Its socket is opened when it is let in, or has to be told something."""

    def __init__(self, app: App, request: web.Request, dialect: Dialect[Any]) -> None:
        config = app.config
        self.request = request
        self.dialect = dialect
        self.limits = ConversationLimits(
            config.message_bytes, config.slow_reader_s, config.messages_per_s, config.rate_limit_s, config.text_chars
        )
        self.socket = Socket(dialect.subprotocols, LARGEST_FRAME_LIMITS * config.message_bytes)
        self._response: web.WebSocketResponse | None = None
        self._first: WsFrame | None = None  # the client's first frame, where it was read for its key

    async def open(self) -> web.WebSocketResponse:
        if self._response is None:
            self._response = await self.socket.open(self.request)
        return self._response

    def frames(self, pace: Pace) -> AsyncGenerator[WsFrame]:
        """What the client sends, from its first frame on."""
        frames = self.socket.frames(self.dialect.takes, pace)
        return frames if self._first is None else _after(self._first, frames)

    async def credentials_in_first_message(self) -> Credentials:
        """Reads the first message for its key. Empty credentials when none can be read in time: then the client is told
        that a key was expected."""
        await self.open()
        with contextlib.suppress(TimeoutError, StopAsyncIteration):
            async with asyncio.timeout(FIRST_MESSAGE_S), contextlib.aclosing(self.frames(_in_turn)) as frames:
                self._first = await anext(frames)
        if self._first is None or len(self._first) > self.limits.message_bytes:
            return Credentials()
        try:
            return self.dialect.credentials_in(await decoded(self.dialect, self._first, self.limits))
        except MessageError:
            return Credentials()

    async def turn_away(self, error: wire.Error) -> web.StreamResponse:
        """Tells the client that it is refused: by an HTTP answer, or on an open socket."""
        if self._response is None and (answer := self.dialect.refusal(error)) is not None:
            return answer
        try:
            response = await self.open()
        except ConnectionResetError:  # it hung up while it waited for its refusal
            return unread()
        error = error if error.id is not None else replace(error, id=new_utterance_id())
        last, closing = self.dialect.closing(Closing(_CLOSE_CODES.get(error.code, 1008), error.code))
        with contextlib.suppress(ConnectionError):
            for told in (*self.dialect.tell(error), *last):
                if isinstance(told, str | bytes):
                    await self.socket.send(told)
            await self.socket.close(closing.close_code, closing.reason, _TURN_AWAY_GRACE_S)
        return response


async def _after(first: WsFrame, frames: AsyncGenerator[WsFrame]) -> AsyncGenerator[WsFrame]:
    yield first
    async for frame in frames:
        yield frame


async def _in_turn(_size_bytes: int) -> None:
    """The pace up to the first message. No budget counts the pings before it, so others have a turn after each."""
    await asyncio.sleep(0)


class _Door:
    """The door of one path: every socket on it comes in through `enter`."""

    def __init__(self, app: App, make: Make) -> None:
        self._app = app
        self._make = make
        self._unknown = 0  # sockets whose first message is awaited

    async def enter(self, request: web.Request) -> web.StreamResponse:
        if (answer := no_handshake(request)) is not None:
            return answer
        visit = _Visit(self._app, request, self._make(Handshake(request.headers, request.query, request.match_info)))
        try:
            return await self._serve(visit)
        except Refused as refused:
            await self._app.pace_refusal()
            return await visit.turn_away(refused.error)

    async def _serve(self, visit: _Visit) -> web.StreamResponse:
        """Raises Refused."""
        app, dialect = self._app, visit.dialect
        caller = await self._identified(visit)
        with app.enter(caller):
            try:
                dialect.check()
            except RequestError as error:
                app.metrics.refused(error.code)
                raise Refused(wire.Error(error.code, str(error))) from error
            if dialect.idle_s is not None:
                caller = replace(caller, limits=replace(caller.limits, idle_s=dialect.idle_s))
            with app.reserved(caller, dialect.share) as placed, app.connection(placed) as connection:
                response = await visit.open()
                conversation = Conversation(visit.socket, dialect, connection, app.recordings, visit.limits)
                await conversation.run(app.accounts.of(caller), visit.frames)
        return response

    async def _identified(self, visit: _Visit) -> Caller:
        access, credentials = self._app.access, visit.dialect.credentials()
        if credentials.key is None and visit.dialect.key_in_first_message and access.wants_key:
            if self._unknown >= MAX_UNKNOWN:
                raise Refused(error_message("overloaded", f"expected at most {MAX_UNKNOWN} sockets without a key yet"))
            self._unknown += 1
            try:
                credentials = await visit.credentials_in_first_message()
            finally:
                self._unknown -= 1
        caller = await access.identify(credentials, visit.request.remote)
        access.require(caller, "speak")
        return caller
