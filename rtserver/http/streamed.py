"""An answer in pieces, which is sent while it is made."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Mapping

from aiohttp import web

from rtserver.front.uptake import Uptake
from rtserver.http.oneshot import PeerGone


class StreamedAnswer:
    """The status goes out with the first bytes, so that a request that is refused before has a status of its own."""

    def __init__(self, request: web.Request, slow_reader_s: float) -> None:
        self._request = request
        self._slow_reader_s = slow_reader_s
        self._uptake = Uptake(slow_reader_s)
        self._response: web.StreamResponse | None = None

    @property
    def has_begun(self) -> bool:
        """Whether the status is on its way."""
        return self._response is not None

    async def write(self, data: bytes, headers: Mapping[str, str]) -> None:
        """`headers` go out with the first. Raises PeerGone for a client that takes nothing, or too little, for too
        long."""
        response = await self._begun(headers)
        await self._taken(response.write(data))
        transport = self._request.transport
        drained = transport is None or not transport.get_write_buffer_size()
        if not self._uptake.took(len(data), time.monotonic(), all_taken=drained):
            self.break_off()
            raise PeerGone

    async def finish(self, headers: Mapping[str, str]) -> web.StreamResponse:
        """Nothing follows; `headers` go out if nothing was written."""
        response = await self._begun(headers)
        await self._taken(response.write_eof())
        return response

    async def _taken(self, writing: Coroutine[None, None, None]) -> None:
        try:
            async with asyncio.timeout(self._slow_reader_s):
                await writing
        except TimeoutError:
            self.break_off()
            raise PeerGone from None

    def break_off(self) -> web.StreamResponse:
        """Closes the connection: the missing end of the chunks tells the client that this is not all."""
        if self._request.transport is not None:
            self._request.transport.abort()
        return self._response or web.Response(status=499)

    async def _begun(self, headers: Mapping[str, str]) -> web.StreamResponse:
        if self._response is None:
            self._response = web.StreamResponse(headers=headers)
            await self._response.prepare(self._request)
        return self._response
