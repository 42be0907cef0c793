"""Our own service for pipecat, on the native wire."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rtserver.engine.fake import FakeEngine, FakeOptions
from tests.clients_real.agents import TEXT, is_what_was_heard
from tests.clients_real.environment import environment, run_program
from tests.rtserver.http.http_client import SAMPLES, NotingEngine
from tests.rtserver.serving import Served, eventually, served, served_again
from tests.rtserver.wire.wire_client import wire_client

pytestmark = [pytest.mark.clients, pytest.mark.timeout(900)]

WORDS = ["one", "two", "three", "four"]


async def told(server: Served, case: str, key: str = "right", voice: str = "default", name: str = "rtserver") -> Any:
    """What the program tells of a case."""
    return (await run_program("pipecat", "pipecat_turns", server.url, case, key, voice, name)).told


def engine_of_tones() -> FakeEngine:
    """It works a little faster than its sound lasts."""
    return FakeEngine(FakeOptions(realtime_factor=0.3))


@pytest.mark.parametrize("name", ["rtserver", "rtserver-sentences"])
def test_it_speaks(name: str) -> None:
    """Two turns, token by token or sentence by sentence, with their words; all on one connection, which it closes."""

    async def scenario() -> None:
        async with served(engine_of_tones(), api_keys=["right"]) as server:
            answer = await told(server, "speaks", name=name)
            assert answer == {"turns": [2 * SAMPLES] * 2, "errors": [], "words": WORDS * 2}
            await eventually(lambda: not server.app.connections)

    asyncio.run(scenario())


def test_it_interrupts() -> None:
    """Work ends at once, and the next turns have their own sound and nothing of the one before."""

    async def scenario() -> None:
        engine = engine_of_tones()
        async with served(engine, api_keys=["right"]) as server:
            answer = await told(server, "interrupts")
            assert answer["turns"] == [2 * SAMPLES] * 2 and not answer["errors"]
            assert not engine.live

    asyncio.run(scenario())


def test_refusals() -> None:
    """An unknown voice, a bad key and a full server are errors with our reason, at once."""

    async def scenario() -> None:
        async with served(engine_of_tones(), api_keys=["right"], max_streams=1) as server:
            assert "unknown_voice" in (await told(server, "fails", voice="nobody"))["errors"][0]
            assert "unauthorized" in (await told(server, "fails", key="wrong"))["errors"][0]
            async with wire_client(server.url, headers={"X-API-Key": "right"}) as other:
                await other.send("start", text="abcdefgh " * 200)
                await other.until("audio")
                assert "overloaded" in (await told(server, "fails"))["errors"][0]

    asyncio.run(scenario())


def test_a_restart_of_the_server() -> None:
    """The next turn speaks, with no new set-up and no pause of its own."""

    async def scenario() -> None:
        await asyncio.to_thread(environment, "pipecat")  # it may have to be installed first
        engine = NotingEngine()
        async with served(engine, api_keys=["right"]) as server:
            telling = asyncio.create_task(told(server, "restarts"))
            await eventually(lambda: bool(engine.requests) and not engine.live, 60)
            await asyncio.sleep(0.3)  # the client takes the last of its sound
        async with served_again(server, NotingEngine(), api_keys=["right"]):
            answer = await telling
            assert answer["turns"] == [2 * SAMPLES] * 2 and not answer["errors"]

    asyncio.run(scenario())


@pytest.mark.parametrize("name", ["rtserver", "rtserver-sentences", "cartesia-tokens", "elevenlabs"])
def test_an_agent_that_is_interrupted_knows_what_was_heard(name: str) -> None:
    """The context ends with the word of the last sound that was played, or one beside it."""

    async def scenario() -> Any:
        engine = engine_of_tones()
        async with served(engine, api_keys=["right"]) as server:
            answer = (await run_program("pipecat", "pipecat_agent", server.url, "right", name, TEXT, "2.5")).told
            assert not engine.live
            return answer

    answer = asyncio.run(scenario())
    assert 2400 < answer["played_ms"] < 4000
    assert is_what_was_heard(answer["context"], TEXT, answer["played_ms"]), answer
    if name.startswith("rtserver"):
        (cancelled,) = answer["cancelled"]
        assert cancelled["heard_from"] == "reported"
        assert is_what_was_heard(cancelled["text_heard"], TEXT, answer["played_ms"]), answer
