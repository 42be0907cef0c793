"""One request as a context of a session of its own: what came over HTTP is spoken as on a socket."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Protocol

from aiohttp import ClientConnectionResetError, web

from rtserver.front.access import Refused
from rtserver.front.app import App
from rtserver.front.connection import Connection
from rtserver.front.context_sounds import ContextSounds
from rtserver.http.guard import caller_of
from rtserver.messages import wire
from rtserver.session.outbox import Closing, Item
from rtserver.session.start_request import Recordings

_PEER_CHECK_S = 0.2


class PeerGone(Exception):
    """The client hung up, or takes nothing."""


class _Failed(Exception):
    """The session refused the request or gave up; `error` is its message."""

    def __init__(self, error: wire.Error) -> None:
        super().__init__(error.message)
        self.error = error


class Answer(Protocol):
    """How a request is answered: by one of a dialect's own."""

    @property
    def is_heard(self) -> bool:
        """Whether the client hears the sound while it is made."""

    async def take(self, message: wire.ServerMessage) -> None:
        """The session says something; sound comes in the format that the start asked for. Raises PeerGone, and
        Refused when the answer would be too long."""

    async def finish(self) -> web.StreamResponse:
        """All was said. Raises PeerGone."""

    async def fail(self, error: wire.Error) -> web.StreamResponse:
        """The session refused the request, or gave it up."""


def unencoded(start: wire.Start) -> wire.Start:
    """The same with the engine's own sound, for an answer that encodes it as a whole."""
    return replace(start, format="pcm_s16le", sample_rate=None)


def unread() -> web.Response:
    """The answer to a client that has left."""
    return web.Response(status=499)


async def speak(
    app: App, request: web.Request, start: wire.Start, recordings: Recordings, answer: Answer
) -> web.StreamResponse:
    """Speaks a whole request to its client."""
    sounds = ContextSounds(app.model.sample_rate)
    with app.connection(caller_of(request), is_heard=answer.is_heard) as connection:
        speech = _messages(request, connection, start, recordings)
        try:
            async with contextlib.aclosing(speech):
                async for message in speech:
                    for encoded in await sounds.encoded(message):
                        from_s = time.monotonic()
                        await answer.take(encoded)
                        connection.waited_for_client(from_s, time.monotonic())
            return await answer.finish()
        except _Failed as failed:
            return await answer.fail(failed.error)
        except Refused as refused:  # the answer is too long
            app.metrics.refused(refused.error.code)
            return await answer.fail(refused.error)
        except (PeerGone, ClientConnectionResetError):
            return unread()


async def _messages(
    request: web.Request, connection: Connection, start: wire.Start, recordings: Recordings
) -> AsyncGenerator[wire.ServerMessage]:
    """What the session says, up to and with `done`. Raises _Failed, PeerGone."""
    connection.opened()
    await _next(request, connection)  # ready
    connection.receive(start, recordings)
    while True:
        message = await _next(request, connection)
        if isinstance(message, wire.Error):
            raise _Failed(message)
        yield message
        if isinstance(message, wire.Done):
            return


async def _next(request: web.Request, connection: Connection) -> wire.ServerMessage:
    """The next thing that the session says. It is asked again and again whether the client is still there, so that
    nobody is spoken to who has left."""
    getting = asyncio.ensure_future(connection.next_item())
    try:
        done: set[asyncio.Future[Item]] = set()
        while not done:
            done, _ = await asyncio.wait([getting], timeout=_PEER_CHECK_S)
            if request.transport is None or request.transport.is_closing():
                raise PeerGone
    finally:
        getting.cancel()
    item = getting.result()
    if isinstance(item, Closing | str | bytes):
        raise _Failed(wire.Error("shutting_down", "the server stops: connect again", True))
    return item
