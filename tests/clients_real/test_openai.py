"""OpenAI's own client, and the services for OpenAI of pipecat and LiveKit, with another URL and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from rtserver.engine.fake import FakeEngine, FakeOptions
from tests.clients_real.environment import run_program
from tests.rtserver.http.http_client import SAMPLES, ask
from tests.rtserver.serving import Served, eventually, served

pytestmark = [pytest.mark.clients, pytest.mark.timeout(900)]

TURN_BYTES = 2 * SAMPLES
PROGRAMS = {
    "sdk": ("openai", "openai_sdk"),
    "pipecat": ("pipecat", "pipecat_openai"),
    "livekit": ("livekit", "livekit_openai"),
}


@contextlib.asynccontextmanager
async def tones(**settings: Any) -> AsyncIterator[Served]:
    """A server that makes tones, a little faster than they sound."""
    async with served(FakeEngine(FakeOptions(realtime_factor=0.3)), api_keys=["right"], **settings) as server:
        yield server


async def told(server: Served, client: str, case: str, *more: str, key: str = "right", voice: str = "alloy") -> Any:
    """What a program tells of a case."""
    return (await run_program(*PROGRAMS[client], server.url, case, key, voice, *more)).told


def test_openais_client_speaks_every_format() -> None:
    """Each with its type; what has a constant rate is as long as the speech."""

    async def scenario() -> None:
        async with tones() as server:
            formats = await told(server, "sdk", "formats")
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
            streamed = await told(server, "sdk", "streams")
            assert streamed["first_s"] < streamed["last_s"] / 2 and streamed["id"].startswith("u_")
            events = await told(server, "sdk", "events")
            assert events["bytes"] == TURN_BYTES and events["pieces"] > 1
            assert events["last"]["type"] == "speech.audio.done" and events["last"]["usage"]["output_tokens"] > 0

    asyncio.run(scenario())


def test_openais_client_interrupts() -> None:
    """It leaves the answer; the work ends and the next text is whole."""

    async def scenario() -> None:
        async with tones() as server:
            assert await told(server, "sdk", "interrupts") == TURN_BYTES
            await eventually(lambda: not server.app.connections)

    asyncio.run(scenario())


def test_openais_client_lists_the_models() -> None:
    """And finds one by its name."""

    async def scenario() -> None:
        async with tones() as server:
            assert await told(server, "sdk", "lists") == {"models": ["nano"], "first": "model"}

    asyncio.run(scenario())


def test_openais_client_is_refused() -> None:
    """An unknown voice, a bad key, no place: each is the client's own error."""

    async def scenario() -> None:
        async with tones(max_streams=1) as server:
            unknown = await told(server, "sdk", "formats", voice="nobody")
            assert (unknown["error"], unknown["code"], unknown["param"]) == (
                "NotFoundError",
                "voice_not_found",
                "voice",
            )
            stranger = await told(server, "sdk", "formats", key="wrong")
            assert (stranger["error"], stranger["code"]) == ("AuthenticationError", "invalid_api_key")
            body, key = {"input": "abcdefgh " * 200}, {"Authorization": "Bearer right"}
            speaking = asyncio.create_task(ask(f"{server.url}/v1/audio/speech", json=body, headers=key))
            await eventually(lambda: server.engine.live == 1)
            refused = await told(server, "sdk", "formats")
            assert (refused["error"], refused["code"]) == ("RateLimitError", "rate_limit_exceeded")
            assert int(refused["retry_after"]) > 0
            speaking.cancel()

    asyncio.run(scenario())


def test_openais_client_waits_for_a_server_that_starts() -> None:
    """It tries again by itself, as long as the headers say."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.3))
        async with served(engine, started=False, api_keys=["right"]) as server:
            waiting = asyncio.create_task(told(server, "sdk", "waits"))
            await eventually(lambda: _refusals(server) > 0, 300)
            server.start()
            answer = await waiting
            assert answer["bytes"] == TURN_BYTES and answer["retries"] >= 1

    asyncio.run(scenario())


def _refusals(server: Served) -> float:
    refused = server.app.metrics.registry.get_sample_value("rt_refusals_total", {"reason": "engine_lost"})
    return refused or 0.0


def test_pipecat_speaks_and_interrupts() -> None:
    """Two turns of an LLM; after an interruption nothing of the turn before is heard."""

    async def scenario() -> None:
        async with tones() as server:
            for case in ("speaks", "interrupts"):
                turns, errors = await told(server, "pipecat", case)
                assert turns == [TURN_BYTES] * 2 and not errors
            await eventually(lambda: not server.app.connections)
            stranger = await told(server, "pipecat", "fails", key="wrong")
            assert "401" in stranger[0]

    asyncio.run(scenario())


@pytest.mark.parametrize("model", ["tts-1", "gpt-4o-mini-tts"])
def test_livekit_speaks_and_interrupts(model: str) -> None:
    """As sound and in events, both MP3; left in mid-speech, nothing goes on."""

    async def scenario() -> None:
        async with tones() as server:
            told_of = [await told(server, "livekit", case, model) for case in ("speaks", "interrupts")]
            for turn in (*told_of[0]["turns"], *told_of[1]["turns"]):
                assert TURN_BYTES <= turn <= TURN_BYTES + 4 * 1152 * 2
            await eventually(lambda: not server.app.connections)
            assert (await told(server, "livekit", "speaks", model, voice="nobody"))["status"] == 404
            assert (await told(server, "livekit", "speaks", model, key="wrong"))["status"] == 401

    asyncio.run(scenario())
