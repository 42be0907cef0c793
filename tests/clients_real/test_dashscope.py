"""Aliyun's own client, with another URL and nothing else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.clients_real.environment import run_program
from tests.clients_real.tones import TURN_BYTES, told_over_a_restart, tones
from tests.rtserver.http.http_client import TEXT
from tests.rtserver.serving import Served, eventually
from tests.rtserver.wire.wire_client import wire_client

pytestmark = [pytest.mark.clients, pytest.mark.timeout(900)]


async def told(server: Served, case: str, *, key: str = "right", voice: str = "longanyang") -> Any:
    """What the program tells of a case."""
    return (await run_program("dashscope", "dashscope_sdk", server.url, case, key, voice)).told


def test_it_speaks() -> None:
    """A whole text, tokens with word times, a flush, its usual format; two turns on a socket of its pool; over HTTP."""

    async def scenario() -> None:
        async with tones() as server:
            whole, streamed, flushed, usual = await told(server, "speaks")
            assert whole["bytes"] == streamed["bytes"] == flushed["bytes"] == TURN_BYTES
            assert streamed["words"] == TEXT.split() and streamed["characters"] == len(TEXT)
            assert flushed["words"] == [] and usual["mp3"] > 1000
            assert [turn["bytes"] for turn in await told(server, "pool")] == [TURN_BYTES] * 2
            assert await told(server, "http") == [{"bytes": TURN_BYTES}] * 2
            await eventually(lambda: not server.app.connections)

    asyncio.run(scenario())


def test_it_interrupts() -> None:
    """The cancel is answered at once, and work ends."""

    async def scenario() -> None:
        async with tones() as server:
            answer = await told(server, "interrupts")
            assert answer["over"] and answer["took_s"] < 2 and answer["bytes"] == TURN_BYTES
            await eventually(lambda: not server.app.connections)

    asyncio.run(scenario())


def test_it_is_refused() -> None:
    """An unknown voice, a bad key, no place: each with its reason, and at once."""

    async def scenario() -> None:
        async with tones(max_streams=1) as server:
            unknown = await told(server, "fails", voice="nobody")
            assert "418" in unknown["message"] and "voice: expected a voice of this server" in unknown["message"]
            assert "418" in (await told(server, "http", voice="nobody"))["message"]
            assert (await told(server, "http", key="wrong"))["status"] == 401
            assert "raised" in await told(server, "fails", key="wrong")  # it waits for the socket, for 5 s
            async with wire_client(server.url, headers={"X-API-Key": "right"}) as other:
                await other.send("start", text="abcdefgh " * 200)
                await other.until("audio")
                assert (await told(server, "fails"))["error"]["error_code"] == "Throttling.RateQuota"

    asyncio.run(scenario())


def test_its_realtime_client() -> None:
    """It is interrupted, speaks twice more on the same socket, and a text that is committed; each is whole."""

    async def scenario() -> None:
        async with tones() as server:
            interrupted, *turns = await told(server, "realtime")
            assert interrupted["status"] == "cancelled"
            assert turns == [{"bytes": TURN_BYTES, "status": "completed"}] * 3
            await eventually(lambda: not server.app.connections)

    asyncio.run(scenario())


def test_its_realtime_client_is_refused() -> None:
    """An unknown voice, a bad key, no place."""

    async def scenario() -> None:
        async with tones(max_streams=1) as server:
            assert "418" in (await told(server, "realtime_fails", voice="nobody"))["message"]
            assert "raised" in await told(server, "realtime_fails", key="wrong")  # it waits for the socket, for 5 s
            async with wire_client(server.url, headers={"X-API-Key": "right"}) as other:
                await other.send("start", text="abcdefgh " * 200)
                await other.until("audio")
                assert (await told(server, "realtime_fails"))["code"] == "Throttling.RateQuota"

    asyncio.run(scenario())


def test_a_restart_of_the_server() -> None:
    """The client whose pool has a socket of the old server speaks again, with no new set-up."""
    answer = asyncio.run(told_over_a_restart("dashscope", lambda server: told(server, "restarts")))
    assert [turn["bytes"] for turn in answer] == [TURN_BYTES] * 2
