"""Deepgram's own client, and the services for Deepgram of pipecat and LiveKit, with another URL and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from rtserver.engine.fake import FakeEngine, FakeOptions
from tests.clients_real.environment import environment, run_program
from tests.rtserver.http.http_client import SAMPLES, NotingEngine
from tests.rtserver.serving import Served, eventually, served, served_again
from tests.rtserver.wire.wire_client import wire_client

pytestmark = [pytest.mark.clients, pytest.mark.timeout(900)]

TURN_BYTES = 2 * SAMPLES
PROGRAMS = {
    "sdk": ("deepgram-sdk", "deepgram_sdk"),
    "pipecat": ("pipecat", "pipecat_deepgram"),
    "livekit": ("livekit", "livekit_deepgram"),
}
VOICES = {"flux": "flux-alexis-en", "aura": "aura-2-thalia-en", "http": "aura-2-thalia-en"}


@contextlib.asynccontextmanager
async def tones(**settings: Any) -> AsyncIterator[Served]:
    """A server that makes tones, a little faster than they sound."""
    async with served(FakeEngine(FakeOptions(realtime_factor=0.3)), api_keys=["right"], **settings) as server:
        yield server


async def told(server: Served, client: str, case: str, service: str = "aura", **changed: str) -> Any:
    """What a program tells of a case."""
    key, voice = changed.get("key", "right"), changed.get("voice", VOICES[service])
    arguments = [server.url, case, key, voice, *([service] if client != "sdk" else [])]
    return (await run_program(*PROGRAMS[client], *arguments)).told


def test_deepgrams_client_speaks() -> None:
    """Word by word on both sockets, two turns each, and over HTTP."""

    async def scenario() -> None:
        async with tones() as server:
            aura = await told(server, "sdk", "speaks")
            assert [turn["bytes"] for turn in aura] == [TURN_BYTES] * 2
            assert [turn["sequence_id"] for turn in aura] == [0, 1]
            first, second, totals = await told(server, "sdk", "flux_speaks", "flux")
            assert first["bytes"] == second["bytes"] == TURN_BYTES
            assert totals["total_audio_duration_ms"] == 2 * first["audio_duration_ms"] == 1800
            assert (await told(server, "sdk", "http"))["bytes"] == TURN_BYTES

    asyncio.run(scenario())


def test_deepgrams_client_interrupts() -> None:
    """Work ends, and the next turn on the same socket is whole."""

    async def scenario() -> None:
        async with tones() as server:
            assert (await told(server, "sdk", "interrupts"))["bytes"] == TURN_BYTES
            stopped, turn = await told(server, "sdk", "flux_interrupts", "flux")
            assert stopped["text_spoken"] == "abcdefgh" and turn["bytes"] == TURN_BYTES
            await eventually(lambda: not server.app.connections)

    asyncio.run(scenario())


def test_deepgrams_client_is_refused() -> None:
    """An unknown voice, a bad key, no place: each with its reason."""

    async def scenario() -> None:
        async with tones(max_streams=1) as server:
            for case, service in (("speaks", "aura"), ("flux_speaks", "flux"), ("http", "http")):
                unknown = await told(server, "sdk", case, service, voice="nobody")
                assert unknown["status"] == 400  # the client does not show what a socket's header tells
                stranger = await told(server, "sdk", case, service, key="wrong")
                assert stranger["status"] == 401
            assert "overloaded" in (await told(server, "sdk", "overload", "flux"))["description"]

    asyncio.run(scenario())


@pytest.mark.parametrize("service", ["flux", "aura", "http"])
def test_pipecat_speaks(service: str) -> None:
    """Two turns of an LLM, token by token, on one socket."""

    async def scenario() -> None:
        async with tones() as server:
            turns, errors = await told(server, "pipecat", "speaks", service)
            assert turns == [TURN_BYTES] * 2 and not errors

    asyncio.run(scenario())


@pytest.mark.parametrize("service", ["flux", "aura"])
def test_pipecat_interrupts(service: str) -> None:
    """In mid-speech: the next turns have their own sound and nothing of the one before."""

    async def scenario() -> None:
        async with tones() as server:
            turns, errors = await told(server, "pipecat", "interrupts", service)
            assert turns == [TURN_BYTES] * 2 and not errors

    asyncio.run(scenario())


@pytest.mark.parametrize("service", ["flux", "aura", "http"])
def test_pipecat_is_refused(service: str) -> None:
    """An unknown voice and a bad key are errors with our reason."""

    async def scenario() -> None:
        async with tones() as server:
            unknown = await told(server, "pipecat", "fails", service, voice="nobody")
            assert "model: expected a voice" in unknown[0]
            stranger = await told(server, "pipecat", "fails", service, key="wrong")
            assert "401" in stranger[0]

    asyncio.run(scenario())


@pytest.mark.parametrize("service", ["flux", "aura"])
def test_livekit_speaks(service: str) -> None:
    """Two turns, token by token, on one socket, and a whole text over HTTP."""

    async def scenario() -> None:
        async with tones() as server:
            answer = await told(server, "livekit", "speaks", service)
            assert answer["turns"] == [TURN_BYTES] * 2
            assert TURN_BYTES <= answer["file"] <= TURN_BYTES + 960  # it fills up the last frame

    asyncio.run(scenario())


@pytest.mark.parametrize("service", ["flux", "aura"])
def test_livekit_interrupts(service: str) -> None:
    """It leaves the socket, and speaks on another; nothing goes on in the old one."""

    async def scenario() -> None:
        async with tones() as server:
            assert (await told(server, "livekit", "interrupts", service))["turns"] == [TURN_BYTES]
            await eventually(lambda: not server.app.connections)

    asyncio.run(scenario())


@pytest.mark.parametrize("service", ["flux", "aura"])
def test_livekit_is_refused(service: str) -> None:
    """An unknown voice, a bad key."""

    async def scenario() -> None:
        async with tones() as server:
            assert (await told(server, "livekit", "fails", service, voice="nobody"))["status"] == 400
            assert (await told(server, "livekit", "fails", service, key="wrong"))["status"] == 401

    asyncio.run(scenario())


@pytest.mark.parametrize(("client", "service"), [("pipecat", "flux"), ("pipecat", "aura"), ("livekit", "flux")])
def test_a_restart_of_the_server(client: str, service: str) -> None:
    """The client that was connected speaks again, with no new set-up."""

    async def scenario() -> None:
        await asyncio.to_thread(environment, PROGRAMS[client][0])  # it may have to be installed first
        engine = NotingEngine()
        async with served(engine, api_keys=["right"]) as server:
            telling = asyncio.create_task(told(server, client, "restarts", service))
            await eventually(lambda: bool(engine.requests) and not engine.live, 60)
            await asyncio.sleep(0.3)  # the client takes the last of its sound
        async with served_again(server, NotingEngine(), api_keys=["right"]):
            answer = await telling
            assert (answer[0] if client == "pipecat" else answer["turns"]) == [TURN_BYTES] * 2

    asyncio.run(scenario())


@pytest.mark.parametrize(("client", "service"), [("pipecat", "flux"), ("livekit", "flux"), ("livekit", "aura")])
def test_an_overload_is_an_error_at_once(client: str, service: str) -> None:
    """Agents wait three seconds or more for what does not come."""

    async def scenario() -> None:
        async with tones(max_streams=1) as server, wire_client(server.url, headers={"X-API-Key": "right"}) as other:
            await other.send("start", text="abcdefgh " * 200)
            await other.until("audio")
            assert "overloaded" in str(await told(server, client, "fails", service))

    asyncio.run(scenario())
