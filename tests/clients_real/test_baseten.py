"""LiveKit's plugin for Baseten, which speaks to vllm-omni's socket, with another URL and nothing else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rtserver.engine.fake import FakeEngine, FakeOptions
from tests.clients_real.environment import run_program
from tests.rtserver.http.http_client import SAMPLES
from tests.rtserver.serving import eventually, served

pytestmark = [pytest.mark.clients, pytest.mark.timeout(900)]

WORDS = [["one ", 0.0, 0.18], ["two ", 0.18, 0.36], ["three ", 0.36, 0.66], ["four ", 0.66, 0.9]]
TURN = {"bytes": 2 * SAMPLES, "words": WORDS}


def told(case: str, key: str = "right", voice: str = "vivian", **settings: Any) -> Any:
    """What the program tells of a case."""

    async def scenario() -> Any:
        engine = FakeEngine(FakeOptions(realtime_factor=0.3))
        async with served(engine, api_keys=["right"], **settings) as server:
            finished = await run_program("livekit", "livekit_baseten", server.url, case, key, voice)
            await eventually(lambda: not engine.live and not server.app.connections)
            return finished.told

    return asyncio.run(scenario())


def test_words_have_their_times() -> None:
    """Two turns, token by token, on one socket."""
    assert told("speaks") == [TURN, TURN]


def test_an_interrupted_agent_knows_its_words() -> None:
    """All words of the sound that came, but those of the last second; the next turn is whole, and work ends."""
    before, after = told("interrupts")
    spoken_s = before["bytes"] / 48000
    assert len(before["words"]) * 0.48 > spoken_s - 1.1 and before["words"][-1][1] < spoken_s + 0.5
    assert after == TURN


def test_refusals() -> None:
    """An unknown voice and a bad key are errors with our reason."""
    assert "expected a voice of this server" in told("fails", voice="nobody")["error"]
    assert told("fails", key="wrong")["status"] == 401
