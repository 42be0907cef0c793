"""A simple client of ElevenLabs' sockets: it sends and receives messages and hides nothing."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from tests.rtserver.serving import Served

VOICE = "21m00Tcm4TlvDq8ikWAM"
PCM = "output_format=pcm_24000"


class ElevenLabsClient:
    """One socket. `sound` is all sound so far."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws
        self.sound = b""

    async def send(self, text: str | None = None, context_id: str | None = None, **fields: Any) -> None:
        named = {"text": text, "context_id": context_id}
        await self.ws.send_str(json.dumps({key: value for key, value in named.items() if value is not None} | fields))

    async def next(self) -> dict[str, Any]:
        """The next message; {"closed": code} for the end of the socket."""
        frame = await self.ws.receive(10)
        if frame.type is not aiohttp.WSMsgType.TEXT:
            return {"closed": self.ws.close_code}
        message: dict[str, Any] = json.loads(frame.data)
        self.sound += base64.b64decode(message.get("audio") or "", validate=True)
        return message

    async def until_final(self) -> list[dict[str, Any]]:
        """All messages up to the last one of a context."""
        messages = [await self.next()]
        while not messages[-1].get("isFinal"):
            assert "closed" not in messages[-1], messages[-1]
            messages.append(await self.next())
        return messages

    async def until_sound(self) -> None:
        while not (await self.next()).get("audio"):
            pass


@contextlib.asynccontextmanager
async def elevenlabs_client(
    server: Served, query: str = PCM, *, voice: str = VOICE, path: str = "multi-stream-input", **options: Any
) -> AsyncIterator[ElevenLabsClient]:
    address = f"{server.url}/v1/text-to-speech/{voice}/{path}?{query}"
    async with aiohttp.ClientSession() as http, http.ws_connect(address, **options) as ws:
        yield ElevenLabsClient(ws)


def words_of_pieces(messages: list[dict[str, Any]]) -> list[tuple[str, int]]:
    """The words and when they begin, as pipecat reads them: times begin anew in each message, and a word is one when a
    space follows."""
    words, clock_ms, word, start_ms = [], 0, "", 0
    for message in messages:
        if not (alignment := message.get("alignment")):
            continue
        starts, durations = alignment["charStartTimesMs"], alignment["charDurationsMs"]
        for char, at_ms in zip(alignment["chars"], starts, strict=True):
            if char == " ":
                words += [(word, start_ms)] if word else []
                word = ""
            else:
                start_ms = start_ms if word else clock_ms + at_ms
                word += char
        clock_ms += starts[-1] + durations[-1]
    return words
