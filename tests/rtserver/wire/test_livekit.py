"""The speech socket of LiveKit's inference client."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.rtserver.http.http_client import SAMPLES, TEXT, NotingEngine
from tests.rtserver.serving import Served, served

WORDS = [("one ", 0.0, 0.18), ("two ", 0.18, 0.36), ("three ", 0.36, 0.66), ("four ", 0.66, 0.9)]
CREATE = {"type": "session.create", "sample_rate": "24000", "encoding": "pcm_s16le", "extra": {}}


class InferenceClient:
    """One socket. `sound` and `words` are those so far."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws
        self.sound = b""
        self.words: list[tuple[str, float, float]] = []

    async def turn(self, *sentences: str, **config: Any) -> None:
        for sentence in sentences:
            message = {"type": "input_transcript", "transcript": sentence + " ", "generation_config": config}
            await self.ws.send_json(message | {"extra": {}})
        await self.ws.send_json({"type": "session.flush"})

    async def until(self, kind: str) -> dict[str, Any]:
        while True:
            message: dict[str, Any] = await self.ws.receive_json(timeout=10)
            assert message["session_id"].startswith("u_")
            if message["type"] == "output_audio":
                self.sound += base64.b64decode(message["audio"])
            elif message["type"] == "output_alignment":
                self.words += [(one["word"], one["start"], one["end"]) for one in message["words"]]
            if message["type"] == kind:
                return message


@contextlib.asynccontextmanager
async def inference_client(
    server: Served, model: str = "any/model", key: str = "right"
) -> AsyncIterator[InferenceClient]:
    """With a token as the client makes it, but for its signature."""
    claims = base64.urlsafe_b64encode(json.dumps({"iss": key, "sub": "agent"}).encode()).decode().rstrip("=")
    headers = {"Authorization": f"Bearer e30.{claims}.signature"}
    url = f"{server.url}/tts?model={model}"
    async with aiohttp.ClientSession() as http, http.ws_connect(url, headers=headers) as ws:
        yield InferenceClient(ws)


@pytest.mark.parametrize(("model", "space"), [("any/model", " "), ("cartesia/sonic-3", "")])
def test_two_turns_with_their_words(model: str, space: str) -> None:
    """Words have the spaces of the text, but for a model for which the client adds them."""

    async def scenario() -> None:
        async with served(api_keys=["right"]) as server, inference_client(server, model) as client:
            await client.ws.send_json(CREATE)
            await client.until("session.created")
            for _ in range(2):
                client.sound, client.words = b"", []
                await client.turn(TEXT)
                await client.until("done")
                assert len(client.sound) == 2 * SAMPLES
                assert client.words == [(word.strip() + space, start, end) for word, start, end in WORDS]

    asyncio.run(scenario())


def test_what_is_asked_for_reaches_the_engine() -> None:
    """The voice of the session, or of a turn."""

    async def scenario() -> None:
        engine = NotingEngine()
        async with served(engine) as server, inference_client(server) as client:
            await client.ws.send_json(CREATE | {"voice": "英文男", "sample_rate": 16000})
            await client.turn(TEXT)
            await client.until("done")
            assert len(client.sound) == 28800
            await client.turn(TEXT, voice="中文女", language="en")
            await client.until("done")
        assert [one.voice for one in engine.requests] == ["英文男", "中文女"]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("first", "code"),
    [
        (CREATE | {"voice": "nobody"}, "unknown_voice"),
        (CREATE | {"sample_rate": "fast"}, "unsupported_format"),
        (CREATE | {"sample_rate": "7"}, "unsupported_format"),
        (CREATE | {"encoding": "mp3"}, "bad_message"),
    ],
)
def test_a_bad_request_is_an_error(first: dict[str, Any], code: str) -> None:
    """With a reason."""

    async def scenario() -> None:
        async with served() as server, inference_client(server) as client:
            await client.ws.send_json(first)
            await client.turn(TEXT)
            error = await client.until("error")
            assert error["code"] == code and error["message"]

    asyncio.run(scenario())


def test_a_wrong_key_is_refused() -> None:
    """In the handshake."""

    async def scenario() -> None:
        async with served(api_keys=["right"]) as server:
            with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
                async with inference_client(server, key="wrong"):
                    pass

    asyncio.run(scenario())
