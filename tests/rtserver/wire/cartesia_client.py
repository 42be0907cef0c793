"""A simple client of Cartesia's socket: it sends and receives messages and hides nothing."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.rtserver.serving import Served

KATIE = "f786b574-daa5-4673-aa0c-cbe3e8534c02"
RAW = {"container": "raw", "encoding": "pcm_s16le", "sample_rate": 24000}


@dataclass
class Heard:
    """What came of one context."""

    sound: bytes = b""
    # Each word with its start and its end, in seconds.
    words: list[tuple[str, float, float]] = field(default_factory=list)
    # The kinds of its messages, neighbours of one kind once.
    kinds: list[str] = field(default_factory=list)
    # The flush_id of each piece of sound.
    flush_ids: list[int] = field(default_factory=list)


class CartesiaClient:
    """One socket."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws
        self.heard: dict[str | None, Heard] = {}

    async def send(self, context: str, transcript: str, /, more: bool = True, **changed: Any) -> None:
        """As pipecat and LiveKit send it."""
        message = {
            "context_id": context,
            "model_id": "sonic-3",
            "transcript": transcript,
            "continue": more,
            "voice": {"mode": "id", "id": KATIE},
            "output_format": RAW,
            "language": "en",
            "add_timestamps": True,
            "use_normalized_timestamps": False,
        }
        await self.ws.send_str(json.dumps(message | changed))

    async def cancel(self, context: str) -> None:
        await self.ws.send_str(json.dumps({"context_id": context, "cancel": True}))

    async def next(self) -> dict[str, Any]:
        """The next message; the end of the socket is {"type": "closed", "code"}."""
        frame = await self.ws.receive(10)
        if frame.type is not aiohttp.WSMsgType.TEXT:
            return {"type": "closed", "code": self.ws.close_code}
        message: dict[str, Any] = json.loads(frame.data)
        heard = self.heard.setdefault(message["context_id"], Heard())
        if heard.kinds[-1:] != [message["type"]]:
            heard.kinds.append(message["type"])
        if message["type"] == "chunk":
            heard.sound += base64.b64decode(message["data"], validate=True)
            heard.flush_ids.append(message["flush_id"])
        elif message["type"] == "timestamps":
            times = message["word_timestamps"]
            heard.words += zip(times["words"], times["start"], times["end"], strict=True)
        return message

    async def until(self, kind: str, context: str | None = None) -> dict[str, Any]:
        """Reads up to a message of this kind (of this context)."""
        while (message := await self.next())["type"] != kind or context not in (None, message["context_id"]):
            assert message["type"] != "closed", f"closed with {message['code']} before {kind}"
        return message


@contextlib.asynccontextmanager
async def cartesia_client(server: Served, query: str = "", **options: Any) -> AsyncIterator[CartesiaClient]:
    """Connects."""
    async with aiohttp.ClientSession() as http, http.ws_connect(f"{server.url}/tts/websocket{query}", **options) as ws:
        yield CartesiaClient(ws)
