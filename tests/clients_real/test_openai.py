"""OpenAI's own client."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rtserver.engine.fake import FakeEngine, FakeOptions
from tests.clients_real.environment import run_program
from tests.clients_real.tones import TURN_BYTES, told_over_a_restart, tones
from tests.rtserver.http.http_client import ask
from tests.rtserver.serving import Served, eventually, served

pytestmark = [pytest.mark.clients, pytest.mark.timeout(900)]


async def told(server: Served, case: str, key: str = "right", voice: str = "alloy") -> Any:
    """What the program tells of a case."""
    return (await run_program("openai", "openai_sdk", server.url, case, key, voice)).told


def test_openais_client_speaks_every_format() -> None:
    """Each with its type; what has a constant rate is as long as the speech."""

    async def scenario() -> None:
        async with tones() as server:
            formats = await told(server, "formats")
            assert formats["pcm"] == [TURN_BYTES, "audio/pcm"]
            assert formats["wav"] == [TURN_BYTES + 44, "audio/wav"]
            types = {name: media_type for name, (_, media_type) in formats.items()}
            assert types["mp3"] == "audio/mpeg" and types["opus"] == "audio/ogg"
            assert types["flac"] == "audio/flac" and types["aac"] == "audio/aac"
            assert all(size > 2000 for size, _ in formats.values())

    asyncio.run(scenario())


def test_openais_client_streams() -> None:
    """The first bytes come long before the last, also when they are MP3; events hold the same sound."""

    async def scenario() -> None:
        async with tones() as server:
            streamed = await told(server, "streams")
            assert streamed["first_s"] < streamed["last_s"] / 2 and streamed["id"].startswith("u_")
            events = await told(server, "events")
            assert events["bytes"] == TURN_BYTES and events["pieces"] > 1
            assert events["last"]["type"] == "speech.audio.done" and events["last"]["usage"]["output_tokens"] > 0

    asyncio.run(scenario())


def test_openais_client_interrupts() -> None:
    """It leaves the answer; the work ends and the next text is whole."""

    async def scenario() -> None:
        async with tones() as server:
            assert await told(server, "interrupts") == TURN_BYTES
            await eventually(lambda: not server.app.connections)

    asyncio.run(scenario())


def test_openais_client_lists_the_models() -> None:
    """And finds one by its name."""

    async def scenario() -> None:
        async with tones() as server:
            assert await told(server, "lists") == {"models": ["nano"], "first": "model"}

    asyncio.run(scenario())


def test_openais_client_is_refused() -> None:
    """An unknown voice, a bad key, no place: each is the client's own error."""

    async def scenario() -> None:
        async with tones(max_streams=1) as server:
            unknown = await told(server, "formats", voice="nobody")
            assert (unknown["error"], unknown["code"], unknown["param"]) == (
                "NotFoundError",
                "voice_not_found",
                "voice",
            )
            stranger = await told(server, "formats", key="wrong")
            assert (stranger["error"], stranger["code"]) == ("AuthenticationError", "invalid_api_key")
            body, key = {"input": "abcdefgh " * 200}, {"Authorization": "Bearer right"}
            speaking = asyncio.create_task(ask(f"{server.url}/v1/audio/speech", json=body, headers=key))
            await eventually(lambda: server.engine.live == 1)
            refused = await told(server, "formats")
            assert (refused["error"], refused["code"]) == ("RateLimitError", "rate_limit_exceeded")
            assert int(refused["retry_after"]) > 0
            speaking.cancel()

    asyncio.run(scenario())


def test_openais_client_waits_for_a_server_that_starts() -> None:
    """It tries again by itself, as long as the headers say."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.3))
        async with served(engine, started=False, api_keys=["right"]) as server:
            waiting = asyncio.create_task(told(server, "waits"))
            await eventually(lambda: _refusals(server) > 0, 300)
            server.start()
            answer = await waiting
            assert answer["bytes"] == TURN_BYTES and answer["retries"] >= 1

    asyncio.run(scenario())


def test_a_restart_of_the_server() -> None:
    """The client that was connected speaks again, with no new set-up."""
    answer = asyncio.run(told_over_a_restart("openai", lambda server: told(server, "restarts")))
    assert answer == [TURN_BYTES] * 2


def _refusals(server: Served) -> float:
    refused = server.app.metrics.registry.get_sample_value("rt_refusals_total", {"reason": "engine_lost"})
    return refused or 0.0
