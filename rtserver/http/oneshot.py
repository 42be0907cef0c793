"""One request as a context of a session of its own: what came over HTTP is spoken as on the native wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace

from rtserver.front.connection import Connection
from rtserver.messages import wire
from rtserver.session.outbox import Closing, Item
from rtserver.session.start_request import NO_RECORDINGS, Recordings

_PEER_CHECK_S = 0.2


class OneShotError(Exception):
    """The session refused the request or gave up; `error` is its message."""

    def __init__(self, error: wire.Error) -> None:
        super().__init__(error.message)
        self.error = error


class PeerGone(Exception):
    """The client hung up."""


def unencoded(start: wire.Start) -> wire.Start:
    """The same with the engine's own sound, which whoever asks encodes himself."""
    return replace(start, format="pcm_s16le", sample_rate=None)


class OneShot:
    """Speaks one `start`. `peer_is_there` is asked again and again, so that nobody is spoken to who has left."""

    def __init__(self, connection: Connection, peer_is_there: Callable[[], bool]) -> None:
        self._connection = connection
        self._peer_is_there = peer_is_there

    async def messages(
        self, start: wire.Start, recordings: Recordings = NO_RECORDINGS
    ) -> AsyncGenerator[wire.ServerMessage]:
        """What the session says, up to and with `done`. Raises OneShotError, PeerGone."""
        connection = self._connection
        connection.opened()
        await self._next()  # ready
        connection.receive(start, recordings)
        while True:
            message = await self._next()
            if isinstance(message, wire.Error):
                raise OneShotError(message)
            yield message
            if isinstance(message, wire.Done):
                return

    async def _next(self) -> wire.ServerMessage:
        getting = asyncio.ensure_future(self._connection.next_item())
        try:
            done: set[asyncio.Future[Item]] = set()
            while not done:
                done, _ = await asyncio.wait([getting], timeout=_PEER_CHECK_S)
                if not self._peer_is_there():
                    raise PeerGone
        finally:
            getting.cancel()
        item = getting.result()
        if isinstance(item, Closing):
            raise OneShotError(wire.Error("shutting_down", "the server stops: connect again", True))
        return item
