"""Places on the native wire: refused starts, conversations that keep one."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from rtclient import ServerError, Speech, connect
from rtserver.engine.fake import FakeEngine, FakeOptions
from tests.rtserver.engine.acoustic.loads import load_of
from tests.rtserver.http.http_client import TEXT, ask, spoken
from tests.rtserver.serving import Served, eventually, served


def busy(streams: int) -> FakeEngine:
    """Tones at the pace of speech, on a machine that is said to carry so many streams."""
    engine = FakeEngine(FakeOptions(realtime_factor=1.0))
    engine.load = load_of(streams)
    return engine


async def refusal(server: Served, path: str) -> tuple[dict[str, object], int | None]:
    """What a socket hears that is turned away, and how it is closed."""
    async with aiohttp.ClientSession() as http, http.ws_connect(f"{server.url}{path}") as ws:
        message = await ws.receive_json(timeout=5)
        await ws.receive(timeout=5)
        return message, ws.close_code


def test_a_start_without_a_place_is_refused_and_the_socket_lives_on() -> None:
    """With a hint when to try again; when the other has been cancelled the same start is taken."""

    async def scenario() -> None:
        async with served(busy(1)) as server, connect(server.url) as session:
            first = session.speak(None)
            await eventually(lambda: server.app.admission.demand == 1)
            with pytest.raises(ServerError) as refused:
                await collect(session.speak(TEXT))
            assert refused.value.code == "overloaded" and refused.value.retryable
            assert refused.value.retry_after_ms is not None and 200 <= refused.value.retry_after_ms <= 10_000
            await first.cancel()
            assert await collect(session.speak(TEXT)) > 0

    asyncio.run(scenario())


async def collect(speech: Speech) -> int:
    """Bytes of a speech's sound."""
    async with speech:
        return sum([len(audio.pcm) async for audio in speech])


def test_a_conversation_with_a_place_speaks_while_others_are_refused() -> None:
    """It keeps its place while it is silent, and gives it back when its socket closes."""

    async def scenario() -> None:
        async with served(busy(1)) as server:
            async with connect(server.url, reserve=1.0) as mine, connect(server.url) as other:
                with pytest.raises(ServerError, match="overloaded"):
                    await collect(other.speak(TEXT))
                assert await collect(mine.speak(TEXT)) > 0
                with pytest.raises(ServerError, match="overloaded"):
                    async with connect(server.url, reserve=0.5):
                        pass
            await eventually(lambda: server.app.admission.demand == 0)

    asyncio.run(scenario())


def test_a_conversation_without_a_place_is_turned_away_at_the_door() -> None:
    """Closed with 1013 after an error; a share that is none, with 1008."""

    async def scenario() -> None:
        async with served(busy(1)) as server, connect(server.url, reserve=1.0):
            message, code = await refusal(server, "/v1/realtime?reserve=0.5")
            assert (message["type"], message["code"], code) == ("error", "overloaded", 1013)
            for share in ("0", "1.5", "-1", "nan", "much", ""):
                message, code = await refusal(server, f"/v1/realtime?reserve={share}")
                assert (message["code"], code) == ("bad_message", 1008), share

    asyncio.run(scenario())


def test_http_answers_429_with_the_hint() -> None:
    """As every client of a speech service expects it; the next request is spoken."""

    async def scenario() -> None:
        async with served(busy(1)) as server:
            async with connect(server.url, reserve=1.0):
                answer = await ask(f"{server.url}/v1/tts", json={"text": TEXT})
                assert answer.status == 429 and answer.json["error"]["code"] == "overloaded"
                assert int(answer.headers["Retry-After"]) >= 1
            await eventually(lambda: server.app.admission.demand == 0)
            assert (await spoken(server.url, text=TEXT))["audio"]

    asyncio.run(scenario())
