"""Cartesia's own client, and the services for Cartesia of pipecat and LiveKit, with another URL and nothing else."""

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
    "sdk": ("cartesia", "cartesia_sdk"),
    "pipecat": ("pipecat", "pipecat_cartesia"),
    "livekit": ("livekit", "livekit_cartesia"),
}
VOICE = "f786b574-daa5-4673-aa0c-cbe3e8534c02"
# LiveKit finds each word in the text that it sent, so the text is whole.
WORDS = [["one", 0.0], [" two", 0.18], [" three", 0.36], [" four", 0.66]]


@contextlib.asynccontextmanager
async def tones(**settings: Any) -> AsyncIterator[Served]:
    """A server that makes tones, a little faster than they sound."""
    async with served(FakeEngine(FakeOptions(realtime_factor=0.3)), api_keys=["right"], **settings) as server:
        yield server


async def told(server: Served, client: str, case: str, service: str = "sentences", **changed: str) -> Any:
    """What a program tells of a case."""
    arguments = [server.url, case, changed.get("key", "right"), changed.get("voice", VOICE)]
    return (await run_program(*PROGRAMS[client], *arguments, *([service] if client == "pipecat" else []))).told


def test_cartesias_client_speaks() -> None:
    """Word by word with word times, two turns on a socket, over HTTP and in events; and lists the voices."""

    async def scenario() -> None:
        async with tones() as server:
            answer = await told(server, "sdk", "speaks")
            assert [one["bytes"] for one in answer] == [TURN_BYTES] * 4
            assert answer[0]["words"] == answer[1]["words"] == ["one", "two", "three", "four"]
            assert answer[0]["kinds"].count("done") == 1
            voices = await told(server, "sdk", "voices")
            assert voices == {"ids": ["中文女", "中文男", "英文女", "英文男"], "first": "中文女"}

    asyncio.run(scenario())


def test_cartesias_client_interrupts() -> None:
    """One context of a socket: work ends, and the other context is whole."""

    async def scenario() -> None:
        async with tones() as server:
            assert (await told(server, "sdk", "interrupts"))["bytes"] == TURN_BYTES
            await eventually(lambda: not server.app.connections)

    asyncio.run(scenario())


def test_cartesias_client_is_refused() -> None:
    """An unknown voice, a bad key, no place: each with its reason."""

    async def scenario() -> None:
        async with tones(max_streams=1) as server:
            code, status, _ = (await told(server, "sdk", "fails", voice="nobody"))["error"]
            assert (code, status) == ("voice_not_found", 404)
            assert (await told(server, "sdk", "fails", key="wrong"))["status"] == 401
            assert (await told(server, "sdk", "http", voice="nobody"))["status"] == 404
            assert (await told(server, "sdk", "http", key="wrong"))["status"] == 401
            code, status, _ = (await told(server, "sdk", "overload"))["error"]
            assert (code, status) == ("concurrency_limited", 429)

    asyncio.run(scenario())


@pytest.mark.parametrize("service", ["sentences", "tokens", "http"])
def test_pipecat_speaks(service: str) -> None:
    """Two turns of an LLM, token by token, on one socket."""

    async def scenario() -> None:
        async with tones() as server:
            turns, errors = await told(server, "pipecat", "speaks", service)
            assert turns == [TURN_BYTES] * 2 and not errors

    asyncio.run(scenario())


@pytest.mark.parametrize("service", ["sentences", "tokens"])
def test_pipecat_interrupts(service: str) -> None:
    """In mid-speech: the next turns have their own sound and nothing of the one before."""

    async def scenario() -> None:
        async with tones() as server:
            turns, errors = await told(server, "pipecat", "interrupts", service)
            assert turns == [TURN_BYTES] * 2 and not errors

    asyncio.run(scenario())


@pytest.mark.parametrize("service", ["sentences", "http"])
def test_pipecat_is_refused(service: str) -> None:
    """An unknown voice and a bad key are errors with our reason."""

    async def scenario() -> None:
        async with tones() as server:
            unknown = await told(server, "pipecat", "fails", service, voice="nobody")
            assert "voice_not_found" in unknown[0]
            stranger = await told(server, "pipecat", "fails", service, key="wrong")
            assert "401" in stranger[0]

    asyncio.run(scenario())


def test_livekit_speaks() -> None:
    """Two turns with word times on one socket, and a whole text over HTTP."""

    async def scenario() -> None:
        async with tones() as server:
            *turns, file = await told(server, "livekit", "speaks")
            assert turns == [{"bytes": TURN_BYTES, "words": WORDS}] * 2
            assert TURN_BYTES <= file["bytes"] <= TURN_BYTES + 960  # it fills up the last frame

    asyncio.run(scenario())


def test_livekit_interrupts() -> None:
    """It leaves the socket, and speaks on another; nothing goes on in the old one."""

    async def scenario() -> None:
        async with tones() as server:
            assert await told(server, "livekit", "interrupts") == [{"bytes": TURN_BYTES, "words": WORDS}]
            await eventually(lambda: not server.app.connections)

    asyncio.run(scenario())


def test_livekit_is_refused() -> None:
    """An unknown voice, a bad key."""

    async def scenario() -> None:
        async with tones() as server:
            assert "voice_not_found" in (await told(server, "livekit", "fails", voice="nobody"))["error"]
            assert (await told(server, "livekit", "fails", key="wrong"))["status"] == 401

    asyncio.run(scenario())


@pytest.mark.parametrize("client", ["sdk", "pipecat", "livekit"])
def test_a_restart_of_the_server(client: str) -> None:
    """The client that was connected speaks again, with no new set-up."""

    async def scenario() -> None:
        await asyncio.to_thread(environment, PROGRAMS[client][0])  # it may have to be installed first
        engine = NotingEngine()
        async with served(engine, api_keys=["right"]) as server:
            telling = asyncio.create_task(told(server, client, "restarts"))
            await eventually(lambda: bool(engine.requests) and not engine.live, 60)
            await asyncio.sleep(0.3)  # the client takes the last of its sound
        async with served_again(server, NotingEngine(), api_keys=["right"]):
            answer = await telling
            sizes = answer[0] if client == "pipecat" else [one["bytes"] for one in answer]
            assert sizes == [TURN_BYTES] * 2

    asyncio.run(scenario())


@pytest.mark.parametrize("client", ["pipecat", "livekit"])
def test_an_overload_is_an_error_at_once(client: str) -> None:
    """Agents wait three seconds or more for what does not come."""

    async def scenario() -> None:
        async with tones(max_streams=1) as server, wire_client(server.url, headers={"X-API-Key": "right"}) as other:
            await other.send("start", text="abcdefgh " * 200)
            await other.until("audio")
            assert "concurrency_limited" in str(await told(server, client, "fails"))

    asyncio.run(scenario())
