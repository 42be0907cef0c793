"""ElevenLabs' own client."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.clients_real.environment import run_program
from tests.clients_real.tones import TURN_BYTES, told_over_a_restart, tones
from tests.rtserver.http.http_client import SAMPLES, TEXT
from tests.rtserver.serving import Served, eventually
from tests.rtserver.wire.wire_client import wire_client

pytestmark = [pytest.mark.clients, pytest.mark.timeout(900)]

VOICE = "21m00Tcm4TlvDq8ikWAM"


async def told(server: Served, case: str, key: str = "right", voice: str = VOICE) -> Any:
    """What the program tells of a case."""
    return (await run_program("elevenlabs", "elevenlabs_sdk", server.url, case, key, voice)).told


def test_elevenlabs_client_speaks() -> None:
    """Word by word on a socket, over HTTP, with times whole and in lines."""

    async def scenario() -> None:
        async with tones() as server:
            answer = await told(server, "speaks")
            assert answer == {"turns": [TURN_BYTES] * 5, "whole": TEXT, "lines": TEXT}
            sizes = await told(server, "formats")
            assert sizes["pcm_48000"] == 2 * TURN_BYTES and sizes["ulaw_8000"] == sizes["alaw_8000"] == SAMPLES // 3
            assert min(sizes.values()) > 2000

    asyncio.run(scenario())


def test_elevenlabs_client_interrupts() -> None:
    """It leaves a socket and an answer; work ends, and the next texts are whole."""

    async def scenario() -> None:
        async with tones() as server:
            assert (await told(server, "interrupts"))["turns"] == [TURN_BYTES] * 2
            await eventually(lambda: not server.app.connections)

    asyncio.run(scenario())


def test_elevenlabs_client_lists() -> None:
    """Voices on both paths, one voice by ElevenLabs' id, the model."""

    async def scenario() -> None:
        async with tones() as server:
            listed = await told(server, "lists")
            assert listed["v1"] == listed["v2"] == ["中文女", "中文男", "英文女", "英文男"]
            assert listed["one"] == VOICE and listed["models"] == ["nano"]

    asyncio.run(scenario())


def test_elevenlabs_client_is_refused() -> None:
    """An unknown voice, a bad key, no place, a voice to add: each with its reason."""

    async def scenario() -> None:
        async with tones(max_streams=1) as server:
            for case in ("plain", "realtime"):
                unknown = await told(server, case, voice="nobody")
                stranger = await told(server, case, key="wrong")
                assert (unknown["status"], stranger["status"]) == (404, 401)
                assert stranger["body"]["detail"]["status"] == "invalid_api_key"
            assert "no voice to add" in (await told(server, "adds"))["body"]["detail"]["message"]
            async with wire_client(server.url, headers={"X-API-Key": "right"}) as other:
                await other.send("start", text="abcdefgh " * 200)
                await other.until("audio")
                assert (await told(server, "plain"))["status"] == 429
                overloaded = await told(server, "realtime")
                assert overloaded["status"] == 1008 and "system_busy" in str(overloaded["body"])

    asyncio.run(scenario())


def test_a_restart_of_the_server() -> None:
    """The client that was connected speaks again, with no new set-up."""
    answer = asyncio.run(told_over_a_restart("elevenlabs", lambda server: told(server, "restarts")))
    assert answer["turns"] == [TURN_BYTES] * 3
