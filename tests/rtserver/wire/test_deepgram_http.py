"""Deepgram's `POST /v1/speak` and `/v2/speak`."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rtserver.engine.fake import FakeEngine, FakeOptions
from tests.rtserver.http.http_client import SAMPLES, TEXT, Answer, NotingEngine, ask, pcm_of
from tests.rtserver.serving import served
from tests.rtserver.wire.wire_client import wire_client

PCM = "encoding=linear16&container=none"


def asked(query: str = PCM, path: str = "/v1/speak", engine: FakeEngine | None = None, **options: Any) -> Answer:
    async def scenario() -> Answer:
        async with served(engine) as server:
            return await ask(f"{server.url}{path}?{query}", **({"json": {"text": TEXT}} | options))

    return asyncio.run(scenario())


@pytest.mark.parametrize("path", ["/v1/speak", "/v2/speak"])
def test_a_text_is_spoken(path: str) -> None:
    """Raw samples, with Deepgram's headers, in the voice and at the speed that the query names."""
    engine = NotingEngine()
    answer = asked(f"{PCM}&model=aura-2-zeus-en&sample_rate=24000&speed=1.5", path, engine)
    assert answer.status == 200 and len(answer.body) == 2 * SAMPLES // 3 * 2
    assert answer.headers["Content-Type"] == "audio/l16;rate=24000"
    assert answer.headers["dg-model-name"] == "aura-2-zeus-en" and answer.headers["dg-char-count"] == str(len(TEXT))
    assert answer.headers["dg-request-id"].startswith("u_")
    assert (engine.requests[0].voice, engine.requests[0].speed, engine.requests[0].language) == ("male", 1.5, "en")


@pytest.mark.parametrize(
    ("query", "media_type", "begins"),
    [
        ("", "audio/mpeg", b"\xff"),
        ("encoding=linear16", "audio/wav", b"RIFF"),
        ("encoding=flac", "audio/flac", b"fLaC"),
        ("encoding=aac", "audio/aac", b"\xff"),
        ("encoding=mulaw&container=none", "audio/mulaw", b""),
        ("encoding=alaw", "audio/alaw", b""),
    ],
)
def test_the_encodings(query: str, media_type: str, begins: bytes) -> None:
    """MP3 if none is named, and WAV around linear16."""
    answer = asked(query)
    assert (answer.status, answer.headers["Content-Type"]) == (200, media_type)
    assert answer.body.startswith(begins) and len(answer.body) > 1000
    if begins == b"RIFF":
        assert len(pcm_of(answer.body)) == 2 * SAMPLES


@pytest.mark.parametrize(
    ("query", "options", "refused"),
    [
        ("model=nobody", {}, (400, "INVALID_QUERY_PARAMETER")),
        ("encoding=vorbis", {}, (400, "INVALID_QUERY_PARAMETER")),
        ("encoding=mulaw&container=wav", {}, (400, "INVALID_QUERY_PARAMETER")),
        ("callback=http://example.com", {}, (400, "Bad Request")),
        (PCM, {"json": {"text": " "}}, (400, "Bad Request")),
        (PCM, {"json": {"words": "one"}}, (400, "Bad Request")),
        (
            PCM,
            {"json": None, "data": b"no JSON", "headers": {"Content-Type": "application/json"}},
            (400, "Bad Request"),
        ),
        (PCM, {"json": None, "data": {"text": "a form"}}, (400, "Bad Request")),
        (PCM, {"json": {"text": 20_001 * "a"}}, (413, "PAYLOAD_TOO_LARGE")),
    ],
)
def test_a_bad_request_is_refused(query: str, options: dict[str, Any], refused: tuple[int, str]) -> None:
    """In Deepgram's words: err_code, err_msg, request_id, and the reason in a header."""
    answer = asked(query, **options)
    assert (answer.status, answer.json["err_code"]) == refused
    assert answer.json["err_msg"] and answer.headers["dg-error"]
    assert answer.json["request_id"] == answer.headers["dg-request-id"]


def test_keys() -> None:
    """`Authorization: Token KEY`; another is refused with 401."""

    async def scenario() -> None:
        async with served(api_keys=["right"]) as server:
            for key, status in (("right", 200), ("wrong", 401)):
                headers = {"Authorization": f"Token {key}"}
                answer = await ask(f"{server.url}/v1/speak?{PCM}", json={"text": TEXT}, headers=headers)
                assert answer.status == status
            assert answer.json["err_code"] == "INVALID_AUTH"

    asyncio.run(scenario())


def test_an_overload_is_429() -> None:
    """With Retry-After, which Deepgram's client heeds."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.3))
        async with served(engine, max_streams=1) as server, wire_client(server.url) as client:
            await client.send("start", text=TEXT * 50)
            await client.until("audio")
            answer = await ask(f"{server.url}/v1/speak?{PCM}", json={"text": TEXT})
            assert (answer.status, answer.json["err_code"]) == (429, "TOO_MANY_REQUESTS")
            assert int(answer.headers["Retry-After"]) >= 1

    asyncio.run(scenario())
