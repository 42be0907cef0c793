"""A simple client of /ws/v1/tts."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from tests.rtserver.serving import Served


class TtsClient:
    """One socket."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws

    async def send(self, **fields: Any) -> None:
        await self.ws.send_str(json.dumps(fields))

    async def answer(self) -> tuple[list[bytes], dict[str, Any]]:
        """The binary frames up to the next text frame, and the content of that frame."""
        frames: list[bytes] = []
        while True:
            message = await self.ws.receive(10)
            if message.type is aiohttp.WSMsgType.TEXT:
                said: dict[str, Any] = json.loads(message.data)
                return frames, said
            assert message.type is aiohttp.WSMsgType.BINARY, message
            frames.append(message.data)

    @property
    def transport(self) -> asyncio.Transport:
        connection = self.ws._response.connection
        assert connection is not None and isinstance(connection.transport, asyncio.Transport)
        return connection.transport

    async def close_code(self) -> int | None:
        """Reads to the end of the socket and returns the close code."""
        while (await self.ws.receive(10)).type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            pass
        return self.ws.close_code


@contextlib.asynccontextmanager
async def tts_client(server: Served, **options: Any) -> AsyncIterator[TtsClient]:
    async with aiohttp.ClientSession() as http, http.ws_connect(f"{server.url}/ws/v1/tts", **options) as ws:
        yield TtsClient(ws)
