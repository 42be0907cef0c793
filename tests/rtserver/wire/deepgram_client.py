"""A simple client of Deepgram's `speak` sockets: it sends and receives frames and hides nothing."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from tests.rtserver.serving import Served


class DeepgramClient:
    """One socket. `sound` is all sound so far."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws
        self.sound = b""

    async def send(self, kind: str, **fields: Any) -> None:
        await self.ws.send_str(json.dumps({"type": kind, **fields}))

    async def speak(self, *texts: str) -> None:
        for text in texts:
            await self.send("Speak", text=text)

    async def next(self) -> dict[str, Any]:
        """The next message. Sound is {"type": "sound"}; the end of the socket is {"type": "closed", "code"}."""
        frame = await self.ws.receive(10)
        if frame.type is aiohttp.WSMsgType.TEXT:
            message: dict[str, Any] = json.loads(frame.data)
            return message
        if frame.type is aiohttp.WSMsgType.BINARY:
            self.sound += frame.data
            return {"type": "sound", "data": frame.data}
        return {"type": "closed", "code": self.ws.close_code}

    async def until(self, kind: str) -> dict[str, Any]:
        """Reads up to a message of this kind."""
        while (message := await self.next())["type"] != kind:
            assert message["type"] != "closed", f"closed with {message['code']} before {kind}"
        return message

    async def told(self) -> list[dict[str, Any]]:
        """All messages but sound, up to the end of the socket."""
        messages = []
        while (message := await self.next())["type"] != "closed":
            if message["type"] != "sound":
                messages.append(message)
        return messages


@contextlib.asynccontextmanager
async def deepgram_client(server: Served, address: str, **options: Any) -> AsyncIterator[DeepgramClient]:
    """`address`: path and query."""
    async with aiohttp.ClientSession() as http, http.ws_connect(f"{server.url}{address}", **options) as ws:
        yield DeepgramClient(ws)
