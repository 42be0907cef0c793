"""What is refused over HTTP, each with its status and code, and that the server speaks afterwards: fields, and the
state of the server. Recordings and bodies have files of their own."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from rtserver.engine.fake import FakeEngine, FakeOptions
from tests.rtserver.http.http_client import SAMPLES, TEXT, ask, file_of, pcm_of, spoken
from tests.rtserver.serving import eventually, served

BAD = (400, "bad_message")

# What is asked for beside a text, and how it is refused.
FIELDS: dict[str, tuple[dict[str, Any], tuple[int, str]]] = {
    "text that is a number": ({"text": 5}, BAD),
    "text that is null": ({"text": None}, BAD),
    "text that is a list": ({"text": ["one"]}, BAD),
    "no text": ({"text": ""}, BAD),
    "text with NUL": ({"text": "one\0two"}, BAD),
    "text that is too long": ({"text": "x" * 1001}, (400, "text_too_long")),
    "an unknown field": ({"colour": "red"}, (400, "unknown_field")),
    "an unknown voice": ({"voice_id": "nobody"}, (404, "unknown_voice")),
    "an unknown speaker": ({"speaker": "nobody"}, (404, "unknown_voice")),
    "a voice with a very long name": ({"voice_id": "x" * 501}, BAD),
    "speaker and voice_id that differ": ({"voice_id": "英文男", "speaker": "英文女"}, BAD),
    "a voice that is a number": ({"voice_id": 5}, BAD),
    "an unknown mode": ({"mode": "opera"}, (400, "unknown_mode")),
    "instruct without an instruction": ({"mode": "instruct"}, BAD),
    "a very long instruction": ({"mode": "instruct", "instruct_text": "x" * 501}, BAD),
    "a very long transcript": ({"prompt_text": "x" * 501}, BAD),
    "an unknown language": ({"language": "fr"}, BAD),
    "an unknown class": ({"class": "gold"}, BAD),
    "an unknown encoding": ({"encoding": "hex"}, BAD),
    "an unknown format": ({"format": "aiff"}, (400, "unsupported_format")),
    "bare Opus packets": ({"format": "opus"}, (400, "unsupported_format")),
    "a rate that is too low": ({"sample_rate": 7999}, (400, "unsupported_format")),
    "a rate that is too high": ({"sample_rate": 48001}, (400, "unsupported_format")),
    "a rate that Opus has not": ({"format": "ogg_opus", "sample_rate": 44100}, (400, "unsupported_format")),
    "a rate that µ-law has not": ({"format": "ulaw", "sample_rate": 16000}, (400, "unsupported_format")),
    "a rate that MP3 has not": ({"format": "mp3", "sample_rate": 10000}, (400, "unsupported_format")),
    "a rate that is a fraction": ({"sample_rate": 8000.5}, BAD),
    "a rate of a hundred digits": ({"sample_rate": 10**100}, (400, "unsupported_format")),
    "a speed that is too slow": ({"speed": 0.49}, BAD),
    "a speed that is too fast": ({"speed": 2.01}, BAD),
    "a speed that is a word": ({"speed": "fast"}, BAD),
    "a seed below 0": ({"seed": -1}, BAD),
    "a seed of 33 bits": ({"seed": 1 << 32}, BAD),
    "a seed that is a fraction": ({"seed": 1.5}, BAD),
    "a duration of nothing": ({"target_s": 0}, BAD),
    "a duration beyond an hour": ({"target_s": 3601}, BAD),
    "stream that is a word": ({"stream": "yes"}, BAD),
    "vc without a source": ({"text": "", "mode": "vc"}, BAD),
    "vc with a text": ({"mode": "vc"}, BAD),
}


@pytest.mark.parametrize("path", ["/v1/tts", "/v1/tts/stream"])
def test_every_field_that_cannot_be_is_refused(path: str) -> None:
    """Each with its status and code, in JSON also where sound was asked for; afterwards a text is spoken."""

    async def scenario() -> None:
        async with served(text_chars=1000) as server:
            found = {}
            for what, (fields, _) in FIELDS.items():
                found[what] = (await ask(f"{server.url}{path}", json={"text": TEXT, **fields})).refused
            assert found == {what: expected for what, (_, expected) in FIELDS.items()}
            assert len(pcm_of(file_of(await spoken(server.url, text=TEXT)))) == 2 * SAMPLES

    asyncio.run(scenario())


def test_a_form_is_refused_like_json() -> None:
    """Text that is no number where one is expected, an unknown voice, an unknown field."""

    async def scenario() -> None:
        async with served() as server:
            for fields, expected in (
                ({"speed": "fast"}, BAD),
                ({"seed": "1.5"}, BAD),
                ({"stream": "maybe"}, BAD),
                ({"voice_id": "nobody"}, (404, "unknown_voice")),
                ({"colour": "red"}, (400, "unknown_field")),
            ):
                assert (await ask(f"{server.url}/v1/tts", data={"text": TEXT, **fields})).refused == expected

    asyncio.run(scenario())


def test_a_refusal_says_what_was_expected_and_found() -> None:
    """The message names the field, what is known and what came; the body tells whether to try again."""

    async def scenario() -> None:
        async with served() as server:
            error = (await ask(f"{server.url}/v1/tts", json={"text": TEXT, "voice_id": "nobody"})).json["error"]
            assert "英文女" in error["message"] and "'nobody'" in error["message"] and error["retryable"] is False

    asyncio.run(scenario())


def test_a_server_that_drains_is_not_spoken_with() -> None:
    """503 `shutting_down`, for speech and for the lists of voices; what speaks goes on to its end."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.3))
        async with served(engine) as server:
            speaking = asyncio.create_task(spoken(server.url, text=TEXT))
            await eventually(lambda: engine.live == 1)
            server.app.drain()
            server.app.tell_shutdown(deadline=False)
            answer = await ask(f"{server.url}/v1/tts", json={"text": TEXT})
            assert answer.refused == (503, "shutting_down") and answer.json["error"]["retryable"]
            for path in ("/v1/voices", "/v1/speakers"):
                assert (await ask(f"{server.url}{path}", "GET")).refused == (503, "shutting_down")
            assert len(pcm_of(file_of(await speaking))) == 2 * SAMPLES

    asyncio.run(scenario())


def test_a_server_at_its_deadline_gives_up_what_speaks() -> None:
    """A file that is not whole by then is answered with 503."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=1.0))
        async with served(engine) as server:
            speaking = asyncio.create_task(ask(f"{server.url}/v1/tts", json={"text": TEXT}))
            await eventually(lambda: engine.live == 1)
            server.app.tell_shutdown(deadline=True)
            assert (await speaking).refused == (503, "shutting_down") and engine.live == 0

    asyncio.run(scenario())


def test_a_server_that_is_not_ready_says_when_to_come_back() -> None:
    """503 `engine_lost` with Retry-After while it starts, and while its engine comes back."""

    class Recovering(FakeEngine):
        away = False

        @property
        def ready(self) -> bool:
            return not self.away

    async def scenario() -> None:
        engine = Recovering()
        async with served(engine, started=False) as server:
            answers = [await ask(f"{server.url}/v1/tts", json={"text": TEXT})]
            server.start()
            engine.away = True
            answers.append(await ask(f"{server.url}/v1/tts", json={"text": TEXT}))
            for answer in answers:
                assert answer.refused == (503, "engine_lost") and answer.headers["Retry-After"] == "2"
                assert answer.json["error"]["retryable"] and answer.json["error"]["retry_after_ms"] == 2000
            engine.away = False
            assert (await spoken(server.url, text=TEXT))["performance"]["audio_s"] == 0.9

    asyncio.run(scenario())


def test_a_server_that_is_full_says_when_to_come_back() -> None:
    """Beyond `max_sockets` 429 with Retry-After, whoever holds them; a place that is left is free."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.2))
        async with served(engine, max_sockets=2) as server, aiohttp.ClientSession() as http:
            async with http.ws_connect(f"{server.url}/v1/realtime") as ws:
                assert (await ws.receive_json(timeout=10))["type"] == "ready"
                speaking = asyncio.create_task(spoken(server.url, text=TEXT))
                await eventually(lambda: len(server.app.connections) == 2)
                answer = await ask(f"{server.url}/v1/tts", json={"text": TEXT})
                assert answer.refused == (429, "overloaded") and answer.headers["Retry-After"] == "2"
                await speaking
            await eventually(lambda: not server.app.connections)
            assert (await spoken(server.url, text=TEXT))["performance"]["audio_s"] == 0.9

    asyncio.run(scenario())


def test_those_who_came_while_a_body_was_read_are_counted() -> None:
    """Requests whose bodies arrive together do not pass the limit together: the second finds the place taken."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.5))
        async with served(engine, max_sockets=1) as server:
            body = b'{"text": "one two three four"}'
            head = f"POST /v1/tts HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            sockets = [await asyncio.open_connection(*server.runner.addresses[0]) for _ in range(2)]
            for _, writer in sockets:
                writer.write(head + body[:5])
            http = server.runner.server
            assert http is not None
            await eventually(lambda: http.requests_count == 2)
            statuses = []
            for _, writer in sockets:
                writer.write(body[5:])
            for reader, writer in sockets:
                statuses.append((await reader.readline()).split()[1])
                writer.close()
                await writer.wait_closed()
            assert sorted(statuses) == [b"200", b"429"]

    asyncio.run(scenario())


def test_an_engine_that_dies_is_a_503() -> None:
    """A text whose reader or engine fails is answered with the failure's own status."""

    async def scenario() -> None:
        async with served(FakeEngine(FakeOptions(max_streams=1, realtime_factor=0.3))) as server:
            speaking = asyncio.create_task(spoken(server.url, text=TEXT))
            await eventually(lambda: len(server.app.connections) == 1)
            assert (await ask(f"{server.url}/v1/tts", json={"text": TEXT})).refused == (503, "engine_lost")
            await speaking
            failed = await ask(f"{server.url}/v1/tts", json={"text": "one \ufffe two"})
            assert failed.refused == (500, "internal") and failed.json["error"]["retryable"]

    asyncio.run(scenario())
