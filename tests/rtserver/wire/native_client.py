"""A client of the native wire on either subprotocol. It keeps all messages."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import msgpack

from rtserver.messages.wire import MSGPACK_SUBPROTOCOL, unpack_audio
from tests.rtserver.http.http_client import base64_of
from tests.rtserver.serving import Served


@dataclass
class Heard:
    """One context: its messages without sound, and its frames as (seq, start_ms, data)."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    frames: list[tuple[int, int, bytes]] = field(default_factory=list)

    @property
    def sound(self) -> bytes:
        return b"".join(data for _, _, data in self.frames)

    def kinds(self) -> list[str]:
        return [message["type"] for message in self.messages]


class NativeClient:
    """Speaks either subprotocol. Bytes are base64 in JSON and bin in msgpack."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse, subprotocol: str) -> None:
        self._ws = ws
        self._packs = subprotocol == MSGPACK_SUBPROTOCOL
        self._contexts: dict[int, str] = {}
        self.heard: dict[str | None, Heard] = {}

    async def send(self, kind: str, **fields: Any) -> None:
        message = {"type": kind, **fields}
        if self._packs:
            await self._ws.send_bytes(msgpack.packb(message))
        else:
            plain = {key: base64_of(value) if isinstance(value, bytes) else value for key, value in message.items()}
            await self._ws.send_str(json.dumps(plain))

    async def until(self, kind: str, context: str | None = None) -> dict[str, Any]:
        """Reads up to a message of this kind (about this context)."""
        while True:
            message = await self._next()
            if message["type"] == kind and (context is None or message.get("context") == context):
                return message

    async def _next(self) -> dict[str, Any]:
        frame = await self._ws.receive(10)
        assert frame.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY), frame
        message: dict[str, Any]
        if self._packs:
            message = msgpack.unpackb(frame.data)
        elif frame.type is aiohttp.WSMsgType.TEXT:
            message = json.loads(frame.data)
        else:
            stream, seq, start_ms, data = unpack_audio(frame.data)
            context = self._contexts[stream]
            message = {"type": "audio", "context": context, "seq": seq, "start_ms": start_ms, "data": data}
        heard = self.heard.setdefault(message.get("context"), Heard())
        if message["type"] == "audio":
            heard.frames.append((message["seq"], message["start_ms"], message["data"]))
        else:
            heard.messages.append(message)
        if message["type"] == "started":
            self._contexts[message["stream"]] = message["context"]
        return message


@contextlib.asynccontextmanager
async def connected(server: Served, subprotocol: str) -> AsyncIterator[NativeClient]:
    url = f"{server.url}/v1/realtime"
    async with aiohttp.ClientSession() as http, http.ws_connect(url, protocols=(subprotocol,), max_msg_size=0) as ws:
        client = NativeClient(ws, subprotocol)
        await client.until("ready")
        yield client
