"""Cartesia's `/tts/bytes`, `/tts/sse` and `/voices`."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest

from rtserver.engine.fake import FakeEngine, FakeOptions
from tests.rtserver.http.http_client import SAMPLES, TEXT, Answer, ask, pcm_of
from tests.rtserver.serving import served
from tests.rtserver.wire.cartesia_client import KATIE, RAW
from tests.rtserver.wire.test_cartesia import WORDS
from tests.rtserver.wire.wire_client import wire_client

BODY = {"model_id": "sonic-3", "transcript": TEXT, "voice": {"mode": "id", "id": KATIE}, "output_format": RAW}
VOICES = ["中文女", "中文男", "英文女", "英文男"]


def asked(path: str = "/tts/bytes", **changed: Any) -> Answer:
    async def scenario() -> Answer:
        async with served() as server:
            return await ask(server.url + path, json=BODY | changed)

    return asyncio.run(scenario())


def listed(path: str) -> Answer:
    async def scenario() -> Answer:
        async with served() as server:
            return await ask(server.url + path, "GET")

    return asyncio.run(scenario())


def events(answer: Answer) -> list[dict[str, Any]]:
    """The data of all events, whose names are their types."""
    found = []
    for event in answer.body.decode().strip().split("\n\n"):
        name, data = event.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    return found


@pytest.mark.parametrize(
    ("output_format", "media_type", "begins"),
    [
        (RAW, "audio/pcm", b""),
        ({"container": "wav", "encoding": "pcm_s16le", "sample_rate": 24000}, "audio/wav", b"RIFF"),
        ({"container": "mp3", "bit_rate": 128000, "sample_rate": 44100}, "audio/mpeg", b"\xff"),
    ],
)
def test_a_text_is_spoken(output_format: dict[str, Any], media_type: str, begins: bytes) -> None:
    """In each container."""
    answer = asked(output_format=output_format)
    assert (answer.status, answer.headers["Content-Type"]) == (200, media_type)
    assert answer.headers["X-Request-Id"].startswith("u_") and answer.body.startswith(begins)
    if media_type != "audio/mpeg":
        assert len(pcm_of(answer.body) if begins else answer.body) == 2 * SAMPLES


def test_events() -> None:
    """Sound, the times of words if they are wanted, `done`; all with the context's name."""
    found = events(asked("/tts/sse", context_id="a", add_timestamps=True))
    sound = b"".join(base64.b64decode(one["data"]) for one in found if one["type"] == "chunk")
    assert len(sound) == 2 * SAMPLES
    times = [one["word_timestamps"] for one in found if one["type"] == "timestamps"]
    assert [word for one in times for word in zip(one["words"], one["start"], one["end"], strict=True)] == WORDS
    assert found[-1] == {"type": "done", "done": True, "status_code": 200, "context_id": "a"}
    assert {one["context_id"] for one in found} == {"a"}
    assert {one["type"] for one in events(asked("/tts/sse"))} == {"chunk", "done"}


@pytest.mark.parametrize(
    ("path", "changed", "status", "code"),
    [
        ("/tts/bytes", {"voice": "nobody"}, 404, "voice_not_found"),
        ("/tts/bytes", {"transcript": " "}, 400, "bad_message"),
        ("/tts/bytes", {"transcript": 7}, 400, "bad_message"),
        ("/tts/bytes", {"output_format": {"container": "ogg"}}, 400, "unsupported_format"),
        ("/tts/sse", {"output_format": {"container": "wav"}}, 400, "unsupported_format"),
        ("/tts/sse", {"transcript": "a" * 20_001}, 400, "text_too_long"),
    ],
)
def test_a_bad_request_is_refused(path: str, changed: dict[str, Any], status: int, code: str) -> None:
    """In Cartesia's words."""
    answer = asked(path, **changed)
    assert (answer.status, answer.json["status_code"], answer.json["error_code"]) == (status, status, code)
    assert answer.json["title"] and answer.json["message"]
    assert answer.json["request_id"] == answer.headers["X-Request-Id"]


def test_keys_and_overload() -> None:
    """401, and 429 with Retry-After, which the SDK heeds."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.3))
        async with served(engine, max_streams=1, api_keys=["right"]) as server:
            assert (await ask(f"{server.url}/tts/bytes", json=BODY)).json["error_code"] == "unauthorized"
            headers = {"X-API-Key": "right"}
            async with wire_client(server.url, headers=headers) as client:
                await client.send("start", text=TEXT * 50)
                await client.until("audio")
                answer = await ask(f"{server.url}/tts/bytes", json=BODY, headers=headers)
                assert (answer.status, answer.json["error_code"]) == (429, "concurrency_limited")
                assert int(answer.headers["Retry-After"]) >= 1

    asyncio.run(scenario())


def test_the_voices() -> None:
    """Our own, page by page, as the SDK asks for them."""
    whole = listed("/voices").json
    assert [voice["id"] for voice in whole["data"]] == VOICES and not whole["has_more"]
    assert (whole["data"][0]["gender"], whole["data"][0]["access"]) == (None, "public")  # a tone has no gender
    page = listed(f"/voices?limit=2&starting_after={VOICES[0]}").json
    assert [voice["id"] for voice in page["data"]] == VOICES[1:3] and page["has_more"]
    assert listed(f"/voices?starting_after={VOICES[-1]}").json["data"] == []
    assert [voice["id"] for voice in listed(f"/voices?limit=1&ending_before={VOICES[2]}").json["data"]] == [VOICES[1]]
    assert listed("/voices?gender=masculine").json["data"] == []
    assert [voice["id"] for voice in listed("/voices?q=英").json["data"]] == VOICES[2:]
    assert listed("/voices?limit=0").status == 400


def test_a_voice() -> None:
    """By its id; another is unknown."""
    assert listed(f"/voices/{VOICES[0]}").json["name"] == VOICES[0]
    answer = listed("/voices/nobody")
    assert (answer.status, answer.json["error_code"]) == (404, "voice_not_found")
