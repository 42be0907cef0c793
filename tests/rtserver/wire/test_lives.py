"""Lives of contexts on the real engine: equal names, cancels, hang-ups and long silences change nobody's sound."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import numpy as np
import pytest

from bench.load.attacks.lives import Lives
from bench.load.churn import cloning_model, counts, settled
from cosyvoice.voice.store import SHIPPED_VOICES
from rtserver.commands.server import Server
from rtserver.config import ServerConfig
from tests.rtserver.http.http_client import base64_of

pytestmark = pytest.mark.engine

# As far off as after a restart.
MOST_OFF = 67
PROMPTS = ("en_female", "en_male")
TEXTS = (
    "The lights are off.",
    "Two more blocks, then left.",
    "Nobody could tell us why.",
    "Good morning, this is the front desk.",
)
SOCKETS = 8
PLACE_IDLE_S = 0.4


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as made:
        yield made


@pytest.fixture(scope="module")
def server(runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("model")
    config = ServerConfig(
        port=0,
        model=str(cloning_model(directory)),
        cache_dir=str(directory / "cache"),
        languages=["en"],
        admission=False,
        flow_dtype="float32",  # in bfloat16 a sample depends more on what is computed beside it
        place_idle_s=PLACE_IDLE_S,
    )
    running = Server.running(config, lambda progress: None)
    yield runner.run(running.__aenter__())
    runner.run(running.__aexit__(None, None, None))


@dataclass
class Life:
    """The latest context of one socket."""

    ws: aiohttp.ClientWebSocketResponse
    number: int
    pcm: bytearray = field(default_factory=bytearray)

    async def begin(self, text: str = "") -> None:
        """All sockets call their context `main`. text: another one than its own."""
        self.pcm.clear()
        start = start_of(self.number)
        await self.send("start", **start | {"text": text or start["text"]})

    async def send(self, kind: str, **fields: Any) -> None:
        await self.ws.send_json({"type": kind, **fields})

    async def until(self, *kinds: str) -> None:
        """Listens up to a message of one of these kinds. "audio" is the first sound."""
        async for frame in self.ws:
            if frame.type is aiohttp.WSMsgType.BINARY:
                self.pcm += frame.data[12:]
                if "audio" in kinds:
                    return
            elif (told := json.loads(frame.data))["type"] in kinds:
                return
            else:
                assert told["type"] != "error", told


def prompt(number: int) -> bytes:
    """The two prompts in turn."""
    return (SHIPPED_VOICES / f"{PROMPTS[number % 2]}.wav").read_bytes()


def start_of(number: int) -> dict[str, Any]:
    """What socket `number` says: text, voice and seed are its own."""
    return {
        "context": "main", "class": "batch", "mode": "zero_shot", "language": "en", "seed": 100 + number, "end": True,
        "text": TEXTS[number % len(TEXTS)], "prompt_text": "Good morning to you.",
        "prompt_audio": base64_of(prompt(number)), "marks": False,
    }  # fmt: skip


@contextlib.asynccontextmanager
async def lives_of(server: Server, numbers: range) -> AsyncIterator[list[Life]]:
    """Open sockets."""
    async with aiohttp.ClientSession() as http, contextlib.AsyncExitStack() as stack:
        url = f"{server.url}/v1/speech/realtime"
        yield [Life(await stack.enter_async_context(http.ws_connect(url)), number) for number in numbers]


async def alone(server: Server, number: int) -> bytes:
    """The same on an idle server."""
    async with lives_of(server, range(number, number + 1)) as (life,):
        await life.begin()
        await life.until("done")
        return bytes(life.pcm)


def off(pcm: bytes, expected: bytes) -> int:
    """The largest difference of samples. All have the same number."""
    assert len(pcm) == len(expected) > 12_000
    return int(np.abs(np.frombuffer(pcm, "<i2").astype(int) - np.frombuffer(expected, "<i2")).max())


def test_contexts_of_one_name_keep_their_voices(runner: asyncio.Runner, server: Server) -> None:
    """Eight sockets start `main` at the same moment, with two recordings in turn. Half are cancelled and begun again.
    Each hears its own voice and text, as alone with the same seed."""

    async def scenario() -> None:
        expected = [await alone(server, number) for number in range(SOCKETS)]
        assert len(set(expected)) == SOCKETS

        async def live(life: Life) -> bytes:
            if life.number % 4 > 1:  # of each prompt
                # All texts in a row: long enough that the cancel comes in mid-speech. One that comes after the end is
                # not answered.
                await life.begin(" ".join(TEXTS))
                await life.until("started" if life.number > 4 else "audio")
                await life.send("cancel", context="main")
                await life.until("cancelled", "done")
            await life.begin()
            await life.until("done")
            return bytes(life.pcm)

        async with lives_of(server, range(SOCKETS)) as lives:
            heard = await asyncio.gather(*(live(life) for life in lives))
        assert max(off(pcm, alone) for pcm, alone in zip(heard, expected)) <= MOST_OFF

    runner.run(scenario())


def test_hang_ups_at_any_point_leave_nothing(runner: asyncio.Runner, server: Server) -> None:
    """Clients of every entrance that cancel, hang up by RST, close one direction or vanish, also in the middle of a
    frame and while their recording is prepared: nothing of them stays in any process."""

    async def scenario() -> None:
        port = int(server.url.rsplit(":", 1)[1])

        async def some(seed: int, cycles: int) -> Lives:
            lives = Lives(port, random.Random(seed), 0.4, clones=True)
            todo = iter(range(cycles))

            async def client() -> None:
                for _ in todo:
                    await lives.live()

            await asyncio.gather(*(client() for _ in range(8)))
            return lives

        await some(1, 20)  # the decoder starts
        before = await settled(server, None)
        outcome = (await some(2, 60)).outcome
        assert await settled(server, before) == before
        assert outcome.late_frames == 0 and outcome.ends["reset"] and outcome.ends["mid-frame"]
        assert not any(n for what, n in (await counts(server)).items() if what.startswith("held_"))

    runner.run(scenario())


def test_a_long_silence_in_mid_turn_is_no_end(runner: asyncio.Runner, server: Server) -> None:
    """A context whose text stops gives its place back. When text comes again it goes on, as if it had not waited."""

    async def spoken(silence_s: float) -> bytes:
        async with lives_of(server, range(1)) as (life,):
            await life.send("start", seed=5, language="en", text="Please wait a moment. ")
            await life.send("flush")
            await life.until("flushed")
            await asyncio.sleep(silence_s)
            if silence_s:
                assert not server.app.accounts.held["places"]
            await life.send("text", text="Thank you for waiting.")
            await life.send("end")
            await life.until("done")
            return bytes(life.pcm)

    async def scenario() -> None:
        assert off(await spoken(3 * PLACE_IDLE_S), await spoken(0.0)) <= MOST_OFF

    runner.run(scenario())
