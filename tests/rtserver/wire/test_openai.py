"""OpenAI's speech endpoint and its lists, on a running server."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from typing import Any

import aiohttp
import pytest

from rtserver.engine.fake import FakeEngine, FakeOptions
from tests.rtserver.audio.sound import decoded
from tests.rtserver.http.http_client import SAMPLES, TEXT, Answer, NotingEngine, ask
from tests.rtserver.serving import UNSPOKEN, eventually, served
from tests.rtserver.uploads.files import sound_file, sweep

URL = "/v1/audio/speech"
BODY: dict[str, Any] = {"model": "tts-1", "input": TEXT, "voice": "alloy"}


async def spoken(url: str, **fields: Any) -> Answer:
    answer = await ask(f"{url}{URL}", json=BODY | fields)
    assert answer.status == 200, answer.body
    return answer


def refused(answer: Answer) -> tuple[int, str, str, str | None]:
    """Status, type, code and field. An error of OpenAI's has exactly these and a message."""
    error = answer.json["error"]
    assert set(error) == {"message", "type", "param", "code"} and error["message"]
    assert answer.headers["x-request-id"].startswith("u_")
    return answer.status, error["type"], error["code"], error["param"]


def events(answer: Answer) -> list[dict[str, Any]]:
    assert answer.headers["Content-Type"] == "text/event-stream"
    lines = answer.body.decode().split("\n\n")
    assert lines.pop() == "" and all(line.startswith("data: ") for line in lines)
    return [json.loads(line[6:]) for line in lines]


def test_samples_are_24_khz_and_named() -> None:
    """Raw PCM; the id of the utterance is where OpenAI's client looks for it."""

    async def scenario() -> None:
        async with served() as server:
            answer = await spoken(server.url, response_format="pcm")
            assert len(answer.body) == 2 * SAMPLES and answer.headers["Content-Type"] == "audio/pcm"
            assert answer.headers["x-request-id"] == answer.headers["X-Utterance-Id"]
            assert "X-Warning" not in answer.headers

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("name", "media_type", "rate_hz", "longest"),
    [
        ("mp3", "audio/mpeg", 24000, 1105 + 2 * 1152),
        ("aac", "audio/aac", 24000, 3 * 1024),
        ("opus", "audio/ogg", 48000, 0),
        ("flac", "audio/flac", 24000, 0),
        ("wav", "audio/wav", 24000, 0),
    ],
)
def test_each_format_is_a_file_that_players_read(name: str, media_type: str, rate_hz: int, longest: int) -> None:
    """As long as the speech, and what the decoder adds."""

    async def scenario() -> None:
        async with served() as server:
            answer = await spoken(server.url, response_format=name)
            assert answer.headers["Content-Type"] == media_type
            rate, samples = decoded(answer.body)
            assert rate == rate_hz and 0 <= len(samples) - SAMPLES * rate // 24000 <= longest

    asyncio.run(scenario())


def test_the_sound_begins_before_the_end_is_made() -> None:
    """Nothing is collected before it is sent, as a file and in events."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.2, hop_s=0.1))
        async with served(engine) as server, aiohttp.ClientSession() as http:
            for stream_format in ("audio", "sse"):
                body = BODY | {"input": TEXT * 5, "stream_format": stream_format}
                async with http.post(f"{server.url}{URL}", json=body) as response:
                    assert await response.content.readany() and engine.live == 1
                    await response.content.read()

    asyncio.run(scenario())


def test_events_hold_the_sound_and_what_it_took() -> None:
    """Deltas in base64, then one `done` with tokens of text and of speech."""

    async def scenario() -> None:
        async with served() as server:
            answer = await spoken(server.url, response_format="pcm", stream_format="sse", speed=4, seed=1)
            *deltas, done = events(answer)
            assert {delta["type"] for delta in deltas} == {"speech.audio.delta"} and len(deltas) > 1
            plain = await spoken(server.url, response_format="pcm", speed=2, seed=1)
            assert b"".join(base64.b64decode(delta["audio"]) for delta in deltas) == plain.body
            usage = done["usage"]
            assert done["type"] == "speech.audio.done" and usage["input_tokens"] == len(TEXT.replace(" ", ""))
            assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"] > usage["input_tokens"]
            assert answer.headers["X-Warning"].startswith("speed: 2 in place of 4")

    asyncio.run(scenario())


def test_events_that_break_off_say_why() -> None:
    """An error event, and then a connection without its end."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.5))
        async with served(engine) as server, aiohttp.ClientSession() as http:
            body = BODY | {"input": TEXT * 5, "stream_format": "sse"}
            async with http.post(f"{server.url}{URL}", json=body) as response:
                assert await response.content.readline()
                server.app.tell_shutdown(deadline=True)
                last = b""
                with contextlib.suppress(aiohttp.ClientPayloadError):
                    while line := await response.content.readline():
                        last = line.removeprefix(b"data: ") if line != b"\n" else last
                    pytest.fail("the answer has an end")
                error = json.loads(last)
                assert error["type"] == "speech.audio.error" and error["error"]["code"] == "shutting_down"
            await eventually(lambda: engine.live == 0 and not server.app.connections)

    asyncio.run(scenario())


def test_warnings_are_told_in_a_header() -> None:
    """Those of the request, then those of the session."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(styles=("softly",), realtime_factor=0.0))
        async with served(engine) as server:
            answer = await spoken(server.url, instructions="Like a robot.", speed=0.25, input=f"one {UNSPOKEN} two")
            told = answer.headers["X-Warning"].split("; ")
            assert [warning.split(":")[0] for warning in told] == ["speed", "unknown_style", "unspoken"]

    asyncio.run(scenario())


def test_openais_voices_and_our_own_speak() -> None:
    """By name, alias or object; none means the default."""

    async def scenario() -> None:
        engine = NotingEngine()
        async with served(engine, voice_aliases={"alloy": "英文男"}) as server:
            for voice in ("alloy", "nova", "英文女", {"id": "onyx"}, None):
                await spoken(server.url, voice=voice)
            assert [request.voice for request in engine.requests] == ["英文男", "female", "英文女", "male", "default"]

    asyncio.run(scenario())


def test_a_refusal_is_worded_as_openai_words_it() -> None:
    """Status, type, code and the field, by OpenAI's name for it."""
    kind = "invalid_request_error"

    async def scenario() -> None:
        async with served(text_chars=100) as server:
            for fields, expected in (
                ({"voice": "nobody"}, (404, kind, "voice_not_found", "voice")),
                ({"speed": 9}, (400, kind, "bad_message", "speed")),
                ({"response_format": "gif"}, (400, kind, "unsupported_format", "response_format")),
                ({"input": "one\0two"}, (400, kind, "bad_message", "input")),
                ({"input": "x" * 101}, (400, kind, "text_too_long", None)),
                ({"language": "Klingon"}, (400, kind, "bad_message", "language")),
                ({"ref_audio": "no base64!"}, (400, kind, "bad_audio", "ref_audio")),
                ({"ref_audio": "file:///etc/passwd"}, (400, kind, "bad_audio", None)),
                ({"ref_audio": "file:///etc/pass%00wd"}, (400, kind, "bad_audio", None)),
                ({"ref_audio": "file:"}, (400, kind, "bad_audio", None)),
            ):
                assert refused(await ask(f"{server.url}{URL}", json=BODY | fields)) == expected, fields
            assert refused(await ask(f"{server.url}{URL}", data=b"{")) == (400, kind, "bad_message", None)
            assert (await spoken(server.url)).body

    asyncio.run(scenario())


def test_a_bad_key_is_refused() -> None:
    """401 with OpenAI's code, also for the lists; a good one comes as a bearer."""

    async def scenario() -> None:
        async with served(api_keys=["right"]) as server:
            for headers in ({}, {"Authorization": "Bearer wrong"}):
                for method, path in (("POST", URL), ("GET", "/v1/models"), ("GET", "/v1/audio/voices")):
                    answer = await ask(f"{server.url}{path}", method, json=BODY, headers=headers)
                    assert refused(answer) == (401, "invalid_request_error", "invalid_api_key", None)
            answer = await ask(f"{server.url}{URL}", json=BODY, headers={"Authorization": "Bearer right"})
            assert answer.status == 200

    asyncio.run(scenario())


def test_an_overload_says_when_to_come_again() -> None:
    """429, in both headers that OpenAI's client reads."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=1.0))
        async with served(engine, max_streams=1) as server:
            speaking = asyncio.create_task(spoken(server.url))
            await eventually(lambda: engine.live == 1)
            answer = await ask(f"{server.url}{URL}", json=BODY)
            assert refused(answer) == (429, "rate_limit_error", "rate_limit_exceeded", None)
            wait_ms = int(answer.headers["retry-after-ms"])
            assert wait_ms > 0 and int(answer.headers["Retry-After"]) == -(-wait_ms // 1000)
            await speaking

    asyncio.run(scenario())


def test_a_server_that_starts_or_stops_says_so() -> None:
    """503, which clients try again."""

    async def scenario() -> None:
        async with served(started=False) as server:
            for method, path in (("POST", URL), ("GET", "/v1/audio/voices")):
                answer = await ask(f"{server.url}{path}", method, json=BODY)
                assert refused(answer) == (503, "server_error", "engine_lost", None)
            server.start()
            server.app.drain()
            assert refused(await ask(f"{server.url}{URL}", json=BODY))[:3] == (503, "server_error", "shutting_down")

    asyncio.run(scenario())


def test_a_client_that_leaves_stops_the_work() -> None:
    """The only way to interrupt over HTTP."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.5))
        async with served(engine) as server, aiohttp.ClientSession() as http:
            async with http.post(f"{server.url}{URL}", json=BODY | {"input": TEXT * 20}) as response:
                await response.content.readany()
            await eventually(lambda: engine.live == 0 and not server.app.connections)

    asyncio.run(scenario())


def test_the_lists_have_the_shapes_that_clients_read() -> None:
    """Models as OpenAI and as Open WebUI list them; voices as objects, and as names on request."""

    async def scenario() -> None:
        async with served() as server:

            async def got(path: str) -> Any:
                answer = await ask(f"{server.url}{path}", "GET")
                assert answer.status == 200
                return answer.json

            models = await got("/v1/models")
            assert models["object"] == "list" and [model["id"] for model in models["data"]] == ["nano"]
            assert await got("/v1/models/nano") == models["data"][0]
            assert set(models["data"][0]) == {"id", "object", "created", "owned_by"}
            assert await got("/v1/audio/models") == {"models": [{"id": "nano", "name": "nano"}]}
            voices = (await got("/v1/audio/voices"))["voices"]
            assert voices[0]["id"] == voices[0]["name"] == "中文女"
            assert (await got("/v1/audio/voices?format=names"))["voices"] == [voice["id"] for voice in voices]
            answer = await ask(f"{server.url}/v1/models/other", "GET")
            assert (answer.status, answer.json["error"]["code"]) == (404, "model_not_found")

    asyncio.run(scenario())


@pytest.mark.engine
def test_a_large_recording_is_taken_out_of_the_body() -> None:
    """Beyond what a message may have; the engine gets it as the voice."""

    async def scenario() -> None:
        engine = NotingEngine()
        async with served(engine, message_bytes=10_000) as server:
            recording = base64.b64encode(sound_file("wav-16", sweep(2.0))).decode()
            await spoken(server.url, ref_audio=recording, ref_text="one two")
            (request,) = engine.requests
            assert request.mode == "zero_shot" and request.prompt_audio is not None

    asyncio.run(scenario())
