"""The bytes of a body as they come in. They are bounded in number and in time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from aiohttp import web

from rtserver.front.account import Holding
from rtserver.session.start_request import RequestError

# A body may take its time limit, and a second more for this many bytes that have come.
LEAST_BYTES_PER_S = 32 << 10
_PIECE_BYTES = 1 << 16


class Incoming:
    """Reads the body of one request. Has the methods of `aiohttp.StreamReader` that its multipart reader uses. `held`
    grows with what came: its owner releases it."""

    def __init__(self, request: web.Request, body_s: float, held: Holding) -> None:
        self._request = request
        self._stream = request.content
        self._body_s = body_s
        self._held = held
        self._begun_s = asyncio.get_running_loop().time()
        self._largest_bytes = 0

    def allow(self, largest_bytes: int) -> None:
        """Sets how many bytes the body may have. Raises RequestError when it has more, or says so."""
        self._largest_bytes = largest_bytes
        self._check_size(self._request.content_length or 0)

    async def read(self, size: int = _PIECE_BYTES) -> bytes:
        """Up to `size` bytes; none at the end. Raises RequestError, Exceeded."""
        return await self._bounded(self._stream.read(size))

    async def readline(self, *, max_line_length: int | None = None) -> bytes:
        return await self._bounded(self._stream.readline(max_line_length=max_line_length))

    def at_eof(self) -> bool:
        return self._stream.at_eof()

    def unread_data(self, data: bytes) -> None:
        self._stream.unread_data(data)

    async def rest(self, begun: bytes = b"") -> bytearray:
        """The whole body, of which `begun` was read before. Raises RequestError, Exceeded."""
        # One object that grows: to join the pieces at the end would copy all of it at once.
        body = bytearray(begun)
        while piece := await self.read():
            body += piece
        return body

    async def _bounded(self, reading: Awaitable[bytes]) -> bytes:
        came_bytes = self._stream.total_bytes
        try:
            async with asyncio.timeout_at(self._begun_s + self._body_s + came_bytes / LEAST_BYTES_PER_S):
                data = await reading
        except TimeoutError as error:
            what = f"expected the body within {self._body_s:g} s, or {LEAST_BYTES_PER_S} bytes a second, found less"
            raise RequestError("idle_timeout", what) from error
        self._check_size(self._stream.total_bytes)
        self._held.resize(self._stream.total_bytes)
        return data

    def _check_size(self, size_bytes: int) -> None:
        if size_bytes > self._largest_bytes:
            what = f"expected a body of at most {self._largest_bytes} bytes, found more"
            raise RequestError("message_too_big", what)
