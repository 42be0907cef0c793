"""A simple client of the native wire: it sends and receives frames and hides nothing."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from rtserver.messages.wire import unpack_audio


@dataclass
class Heard:
    """The messages of one context, in order, and its `audio` frames as (seq, start_ms, payload)."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    audio: list[tuple[int, int, bytes]] = field(default_factory=list)

    @property
    def pcm(self) -> bytes:
        return b"".join(data for _, _, data in self.audio)

    def kinds(self) -> list[str]:
        return [m["type"] for m in self.messages]


class WireClient:
    """One socket. `streams` maps stream numbers to contexts, as `started` says."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws
        self.streams: dict[int, str] = {}
        self.heard: dict[str | None, Heard] = {}

    async def send(self, kind: str, **fields: Any) -> None:
        await self.ws.send_str(json.dumps({"type": kind, **fields}))

    async def next(self, timeout_s: float = 10.0) -> dict[str, Any]:
        """The next message. Sound is {"type": "audio", ...}; the end of the socket is {"type": "closed", "code"}."""
        frame = await self.ws.receive(timeout_s)
        if frame.type is aiohttp.WSMsgType.TEXT:
            message: dict[str, Any] = json.loads(frame.data)
            if message["type"] == "started":
                self.streams[message["stream"]] = message["context"]
            self._heard(message.get("context")).messages.append(message)
            return message
        if frame.type is aiohttp.WSMsgType.BINARY:
            stream, seq, start_ms, data = unpack_audio(frame.data)
            context = self.streams[stream]
            self._heard(context).audio.append((seq, start_ms, data))
            return {"type": "audio", "context": context, "seq": seq, "start_ms": start_ms, "data": data}
        return {"type": "closed", "code": self.ws.close_code}

    async def until(self, kind: str, context: str | None = None) -> dict[str, Any]:
        """Reads up to a message of this kind (about this context)."""
        while True:
            message = await self.next()
            if message["type"] == kind and (context is None or message.get("context") == context):
                return message
            assert message["type"] != "closed", f"closed with {message['code']} before {kind}"

    def _heard(self, context: str | None) -> Heard:
        return self.heard.setdefault(context, Heard())


@contextlib.asynccontextmanager
async def wire_client(
    url: str, *, headers: dict[str, str] | None = None, path: str = "/v1/realtime"
) -> AsyncIterator[WireClient]:
    """Connects on the JSON subprotocol."""
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(f"{url}{path}", protocols=("rt.v1.json",), headers=headers, max_msg_size=0) as ws,
    ):
        yield WireClient(ws)
