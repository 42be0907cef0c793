"""LiveKit's inference client, with another URL and nothing else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rtserver.engine.fake import FakeEngine, FakeOptions
from tests.clients_real.environment import run_program
from tests.rtserver.http.http_client import SAMPLES
from tests.rtserver.serving import Served, eventually, served
from tests.rtserver.wire.wire_client import wire_client

pytestmark = [pytest.mark.clients, pytest.mark.timeout(900)]

TURN = {"bytes": 2 * SAMPLES, "words": [["one ", 0.0], ["two ", 0.18], ["three ", 0.36], ["four ", 0.66]]}


async def told(server: Served, case: str, key: str = "right", voice: str = "female") -> Any:
    """What the program tells of a case."""
    return (await run_program("livekit", "livekit_inference", server.url, case, key, voice)).told


def test_livekit_speaks_and_interrupts() -> None:
    """Two turns with word times on one socket; after an interruption the next turn is whole, and work ends."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.3))
        async with served(engine, api_keys=["right"]) as server:
            assert await told(server, "speaks") == [TURN, TURN]
            assert await told(server, "interrupts") == [TURN]
            await eventually(lambda: not engine.live and not server.app.connections)

    asyncio.run(scenario())


def test_livekit_is_refused() -> None:
    """An unknown voice, a bad key, no place."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.3))
        async with served(engine, api_keys=["right"], max_streams=1) as server:
            assert "unknown_voice" in (await told(server, "fails", voice="nobody"))["error"]
            assert (await told(server, "fails", key="wrong"))["status"] == 401
            async with wire_client(server.url, headers={"X-API-Key": "right"}) as other:
                await other.send("start", text="abcdefgh " * 200)
                await other.until("audio")
                assert "overloaded" in (await told(server, "fails"))["error"]

    asyncio.run(scenario())
