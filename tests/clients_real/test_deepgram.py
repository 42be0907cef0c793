"""Deepgram's own client."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.clients_real.environment import run_program
from tests.clients_real.tones import TURN_BYTES, told_over_a_restart, tones
from tests.rtserver.serving import Served, eventually

pytestmark = [pytest.mark.clients, pytest.mark.timeout(900)]

VOICES = {"flux": "flux-alexis-en", "aura": "aura-2-thalia-en", "http": "aura-2-thalia-en"}


async def told(server: Served, case: str, service: str = "aura", key: str = "right", voice: str = "") -> Any:
    """What the program tells of a case."""
    arguments = (server.url, case, key, voice or VOICES[service])
    return (await run_program("deepgram-sdk", "deepgram_sdk", *arguments)).told


def test_deepgrams_client_speaks() -> None:
    """Word by word on both sockets, two turns each, and over HTTP."""

    async def scenario() -> None:
        async with tones() as server:
            aura = await told(server, "speaks")
            assert [turn["bytes"] for turn in aura] == [TURN_BYTES] * 2
            assert [turn["sequence_id"] for turn in aura] == [0, 1]
            first, second, totals = await told(server, "flux_speaks", "flux")
            assert first["bytes"] == second["bytes"] == TURN_BYTES
            assert totals["total_audio_duration_ms"] == 2 * first["audio_duration_ms"] == 1800
            assert (await told(server, "http"))["bytes"] == TURN_BYTES

    asyncio.run(scenario())


def test_deepgrams_client_interrupts() -> None:
    """Work ends, and the next turn on the same socket is whole."""

    async def scenario() -> None:
        async with tones() as server:
            assert (await told(server, "interrupts"))["bytes"] == TURN_BYTES
            stopped, turn = await told(server, "flux_interrupts", "flux")
            assert stopped["text_spoken"] == "abcdefgh" and turn["bytes"] == TURN_BYTES
            await eventually(lambda: not server.app.connections)

    asyncio.run(scenario())


def test_deepgrams_client_is_refused() -> None:
    """An unknown voice, a bad key, no place: each with its reason."""

    async def scenario() -> None:
        async with tones(max_streams=1) as server:
            for case, service in (("speaks", "aura"), ("flux_speaks", "flux"), ("http", "http")):
                unknown = await told(server, case, service, voice="nobody")
                assert unknown["status"] == 400  # the client does not show what a socket's header tells
                stranger = await told(server, case, service, key="wrong")
                assert stranger["status"] == 401
            assert "overloaded" in (await told(server, "overload", "flux"))["description"]

    asyncio.run(scenario())


def test_a_restart_of_the_server() -> None:
    """The client that was connected speaks again, with no new set-up."""
    answer = asyncio.run(told_over_a_restart("deepgram-sdk", lambda server: told(server, "restarts", "flux")))
    assert [turn["bytes"] for turn in answer] == [TURN_BYTES] * 3
