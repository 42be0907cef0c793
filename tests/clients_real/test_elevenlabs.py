"""ElevenLabs' own client, and the services for ElevenLabs of pipecat and LiveKit, with another URL and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from rtserver.engine.fake import FakeEngine, FakeOptions
from tests.clients_real.environment import environment, run_program
from tests.rtserver.http.http_client import SAMPLES, TEXT, NotingEngine
from tests.rtserver.serving import Served, eventually, served, served_again
from tests.rtserver.wire.wire_client import wire_client

pytestmark = [pytest.mark.clients, pytest.mark.timeout(900)]

TURN_BYTES = 2 * SAMPLES
PROGRAMS = {
    "sdk": ("elevenlabs", "elevenlabs_sdk"),
    "pipecat": ("pipecat", "pipecat_elevenlabs"),
    "livekit": ("livekit", "livekit_elevenlabs"),
}
VOICE = "21m00Tcm4TlvDq8ikWAM"
SERVICES = ["sentences", "tokens", "http"]


@contextlib.asynccontextmanager
async def tones(**settings: Any) -> AsyncIterator[Served]:
    """A server that makes tones, a little faster than they sound."""
    async with served(FakeEngine(FakeOptions(realtime_factor=0.3)), api_keys=["right"], **settings) as server:
        yield server


async def told(server: Served, client: str, case: str, *more: str, key: str = "right", voice: str = VOICE) -> Any:
    """What a program tells of a case."""
    return (await run_program(*PROGRAMS[client], server.url, case, key, voice, *more)).told


def test_elevenlabs_client_speaks() -> None:
    """Word by word on a socket, over HTTP, with times whole and in lines."""

    async def scenario() -> None:
        async with tones() as server:
            answer = await told(server, "sdk", "speaks")
            assert answer == {"turns": [TURN_BYTES] * 5, "whole": TEXT, "lines": TEXT}
            sizes = await told(server, "sdk", "formats")
            assert sizes["pcm_48000"] == 2 * TURN_BYTES and sizes["ulaw_8000"] == sizes["alaw_8000"] == SAMPLES // 3
            assert min(sizes.values()) > 2000

    asyncio.run(scenario())


def test_elevenlabs_client_interrupts() -> None:
    """It leaves a socket and an answer; work ends, and the next texts are whole."""

    async def scenario() -> None:
        async with tones() as server:
            assert (await told(server, "sdk", "interrupts"))["turns"] == [TURN_BYTES] * 2
            await eventually(lambda: not server.app.connections)

    asyncio.run(scenario())


def test_elevenlabs_client_lists() -> None:
    """Voices on both paths, one voice by ElevenLabs' id, the model."""

    async def scenario() -> None:
        async with tones() as server:
            listed = await told(server, "sdk", "lists")
            assert listed["v1"] == listed["v2"] == ["中文女", "中文男", "英文女", "英文男"]
            assert listed["one"] == VOICE and listed["models"] == ["nano"]

    asyncio.run(scenario())


def test_elevenlabs_client_is_refused() -> None:
    """An unknown voice, a bad key, no place, a voice to add: each with its reason."""

    async def scenario() -> None:
        async with tones(max_streams=1) as server:
            for case in ("plain", "realtime"):
                unknown = await told(server, "sdk", case, voice="nobody")
                stranger = await told(server, "sdk", case, key="wrong")
                assert (unknown["status"], stranger["status"]) == (404, 401)
                assert stranger["body"]["detail"]["status"] == "invalid_api_key"
            assert "no voice to add" in (await told(server, "sdk", "adds"))["body"]["detail"]["message"]
            async with wire_client(server.url, headers={"X-API-Key": "right"}) as other:
                await other.send("start", text="abcdefgh " * 200)
                await other.until("audio")
                assert (await told(server, "sdk", "plain"))["status"] == 429
                overloaded = await told(server, "sdk", "realtime")
                assert overloaded["status"] == 1008 and "system_busy" in str(overloaded["body"])

    asyncio.run(scenario())


@pytest.mark.parametrize("service", SERVICES)
def test_pipecat_speaks(service: str) -> None:
    """Two turns of an LLM, token by token; it believes every word to be heard."""

    async def scenario() -> None:
        async with tones() as server:
            turns, errors, words = await told(server, "pipecat", "speaks", service)
            assert turns == [TURN_BYTES] * 2 and not errors and words == 2 * TEXT.split()

    asyncio.run(scenario())


@pytest.mark.parametrize("service", ["sentences", "tokens"])
def test_pipecat_interrupts(service: str) -> None:
    """In mid-speech: work ends, and the next turns have their own sound and nothing of the one before."""

    async def scenario() -> None:
        async with tones() as server:
            turns, errors, words = await told(server, "pipecat", "interrupts", service)
            assert turns == [TURN_BYTES] * 2 and not errors and words[-8:] == 2 * TEXT.split()

    asyncio.run(scenario())


@pytest.mark.parametrize("service", SERVICES)
def test_pipecat_is_refused(service: str) -> None:
    """An unknown voice and a bad key are errors."""

    async def scenario() -> None:
        async with tones() as server:
            unknown = await told(server, "pipecat", "fails", service, voice="nobody")
            stranger = await told(server, "pipecat", "fails", service, key="wrong")
            if service == "http":
                assert "voice_not_found" in unknown[0] and "invalid_api_key" in stranger[0]
            else:
                assert "404" in unknown[0] and "401" in stranger[0]

    asyncio.run(scenario())


@pytest.mark.parametrize(("encoding", "extra"), [("pcm_24000", 960), ("mp3_22050_32", 4 * 1152 * 2)])
def test_livekit_speaks(encoding: str, extra: int) -> None:
    """Two turns, token by token, on one socket, with the times of words, and a whole text over HTTP."""

    async def scenario() -> None:
        async with tones() as server:
            answer = await told(server, "livekit", "speaks", encoding)
            size = TURN_BYTES * int(encoding.split("_")[1]) // 24000
            assert all(size <= one <= size + extra for one in (*answer["turns"], answer["file"]))
            for words in answer["words"]:
                assert [(word.strip(), start) for word, start in words] == [
                    ("one", 0.0), ("two", 0.18), ("three", 0.36), ("four", 0.66)
                ]  # fmt: skip

    asyncio.run(scenario())


def test_livekit_interrupts() -> None:
    """While its text still comes: the context is closed, and work ends before the next turn on the same socket."""

    async def scenario() -> None:
        async with tones(max_streams=1) as server:
            assert (await told(server, "livekit", "interrupts"))["turns"] == [TURN_BYTES]
            await eventually(lambda: not server.app.connections)

    asyncio.run(scenario())


def test_livekit_lists_and_is_refused() -> None:
    """All voices; an unknown voice, a bad key."""

    async def scenario() -> None:
        async with tones() as server:
            assert len(await told(server, "livekit", "lists")) == 4
            assert (await told(server, "livekit", "fails", voice="nobody"))["status"] == 404
            assert (await told(server, "livekit", "fails", key="wrong"))["status"] == 401

    asyncio.run(scenario())


@pytest.mark.parametrize(("client", "more"), [("pipecat", ("sentences",)), ("livekit", ())])
def test_a_restart_of_the_server(client: str, more: tuple[str, ...]) -> None:
    """The client that was connected speaks again, with no new set-up."""

    async def scenario() -> None:
        await asyncio.to_thread(environment, PROGRAMS[client][0])  # it may have to be installed first
        engine = NotingEngine()
        async with served(engine, api_keys=["right"]) as server:
            telling = asyncio.create_task(told(server, client, "restarts", *more))
            await eventually(lambda: bool(engine.requests) and not engine.live, 60)
            await asyncio.sleep(0.3)  # the client takes the last of its sound
        async with served_again(server, NotingEngine(), api_keys=["right"]):
            answer = await telling
            assert (answer[0] if client == "pipecat" else answer["turns"]) == [TURN_BYTES] * 2

    asyncio.run(scenario())


@pytest.mark.parametrize(("client", "more"), [("pipecat", ("sentences",)), ("pipecat", ("http",)), ("livekit", ())])
def test_an_overload_is_an_error_at_once(client: str, more: tuple[str, ...]) -> None:
    """Agents wait three seconds or more for what does not come. pipecat reads no error on a socket: it tells that there
    was no sound."""

    async def scenario() -> None:
        async with tones(max_streams=1) as server, wire_client(server.url, headers={"X-API-Key": "right"}) as other:
            await other.send("start", text="abcdefgh " * 200)
            await other.until("audio")
            answer = str(await told(server, client, "fails", *more))
            assert "no audio" in answer if more == ("sentences",) else "system_busy" in answer

    asyncio.run(scenario())
