"""A listener made to run dry in every way that there is, with the real processes: the log names the stage that was
late."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import uvloop

from rtserver.commands.server import Server
from rtserver.engine.host.steps import Step
from rtserver.front.context_sounds import ContextSounds
from rtserver.ipc.message import Message
from rtserver.wire import socket as wire_socket
from tests.rtserver.ran_dry.listening import LONG, Explained, Listener, engine_of, listener, serving, stop_for
from tests.rtserver.serving import eventually

pytestmark = pytest.mark.engine

# What takes too long takes so much too long: the machine's own delays are small beside it.
LATE_S = 2.5
# A process that is stopped for longer counts as one that hangs, and is killed.
NOT_A_HANG_S = 3.0
# From then on the listener has no more ahead than it asked for.
SETTLED_MS = 1000


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as made:
        yield made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("late")


@pytest.fixture(scope="module")
def server(runner: asyncio.Runner, folder: Path) -> Iterator[Server]:
    context = serving(folder)
    yield runner.run(context.__aenter__())
    runner.run(context.__aexit__(None, None, None))


@pytest.fixture
def explained() -> Iterator[Explained]:
    log, handler = logging.getLogger("rtserver.front.tracer"), Explained()
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield handler
    log.removeHandler(handler)
    log.setLevel(level)


async def line_of(explained: Explained, heard: Listener) -> Any:
    """The line about the listener's longest gap, with its fields: the machine may have made others."""
    await heard.for_a_while(LATE_S)
    # A shorter gap may have come first.
    await eventually(lambda: bool(explained.of(heard.utterance)) and longest_of(explained, heard).gap_ms > 500)
    return longest_of(explained, heard)


def longest_of(explained: Explained, heard: Listener) -> Any:
    longest: Any = max(explained.of(heard.utterance), key=lambda record: getattr(record, "gap_ms"))  # noqa: B009
    return longest


def assert_late(line: Any, stage: str, level: int = logging.WARNING) -> None:
    assert line.stage == stage, vars(line)
    assert line.levelno == level and line.gap_ms > 500 and line.late_ms > 500 and line.at_ms > 0


@pytest.mark.parametrize(("part", "stage"), [("talker", "talker"), ("acoustic", "flow")])
def test_a_process_that_is_stopped_is_named_by_its_stage(
    runner: asyncio.Runner, server: Server, explained: Explained, part: str, stage: str
) -> None:
    """It got no time from the machine; what others then waited for is not theirs."""

    async def scenario() -> None:
        async with listener(server.url) as heard:
            await heard.until_heard(SETTLED_MS)
            # The talker may be 2.2 s ahead: a hop of 1.1 s, a quantum of .6 s and the listener's lead.
            await stop_for(server, part, NOT_A_HANG_S)
            assert_late(await line_of(explained, heard), stage)

    runner.run(scenario())


@pytest.mark.parametrize("stage", ["flow", "vocoder"])
def test_work_that_takes_too_long_is_named(
    runner: asyncio.Runner, server: Server, explained: Explained, folder: Path, stage: str
) -> None:
    """Beyond what was predicted for it."""

    async def scenario() -> None:
        async with listener(server.url) as heard:
            await heard.until_heard(SETTLED_MS)
            (folder / stage).write_text(str(LATE_S))
            assert_late(await line_of(explained, heard), stage)

    runner.run(scenario())


def test_a_reader_that_is_stopped_is_named(runner: asyncio.Runner, server: Server, explained: Explained) -> None:
    """The client's text was there."""

    async def scenario() -> None:
        async with listener(server.url, "The lights are off. ", end=False) as heard:
            await heard.until_heard(100)
            stopping = asyncio.create_task(stop_for(server, "reader", NOT_A_HANG_S))
            for word in LONG.split():
                await heard.client.send("text", context="main", text=f"{word} ")
            await heard.for_a_while(2 * LATE_S)
            await stopping
            assert_late(await line_of(explained, heard), "reader")

    runner.run(scenario())


def test_a_client_that_sends_no_text_is_named(runner: asyncio.Runner, server: Server, explained: Explained) -> None:
    """It is no underrun: the line is no warning, and `done` counts it as text that was missing."""

    async def scenario() -> None:
        async with listener(server.url, "The lights are off. ", end=False) as heard:
            await heard.for_a_while(2 * LATE_S)
            await heard.client.send("text", context="main", text="Please wait a moment. ")
            await heard.client.send("end", context="main")
            done = await heard.client.until("done")
            assert done["text_starved_ms"] > 500
            await eventually(lambda: bool(explained.of(heard.utterance)))
            assert_late(longest_of(explained, heard), "text", logging.INFO)

    runner.run(scenario())


def test_a_late_relay_is_named(
    runner: asyncio.Runner, server: Server, explained: Explained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message between two processes lay somewhere on its way."""

    async def scenario() -> None:
        engine, loop = engine_of(server), asyncio.get_running_loop()
        relay = engine._relay

        def late(stage: Any, message: Message, decide: Callable[[Message], Sequence[Step]]) -> None:
            monkeypatch.undo()
            loop.call_later(LATE_S, relay, stage, message, decide)

        async with listener(server.url) as heard:
            await heard.until_heard(SETTLED_MS)
            monkeypatch.setattr(engine, "_relay", late)
            assert_late(await line_of(explained, heard), "relay")

    runner.run(scenario())


def test_a_blocked_front_is_named(runner: asyncio.Runner, server: Server, explained: Explained) -> None:
    """Sound lay there unread while the loop did something else."""

    async def scenario() -> None:
        async with listener(server.url) as heard:
            await heard.until_heard(SETTLED_MS)
            time.sleep(LATE_S)  # noqa: ASYNC251 blocking it is what the test is about
            assert_late(await line_of(explained, heard), "front loop")

    runner.run(scenario())


def test_sound_that_is_not_sent_is_named(
    runner: asyncio.Runner, server: Server, explained: Explained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waited in the outbox, though the client would have taken it."""

    async def scenario() -> None:
        async with listener(server.url, format="ulaw", sample_rate=8000) as heard:
            await heard.until_heard(SETTLED_MS)
            encoded = ContextSounds.encoded

            async def late(self: Any, item: Any) -> Any:
                monkeypatch.undo()
                await asyncio.sleep(LATE_S)
                return await encoded(self, item)

            monkeypatch.setattr(ContextSounds, "encoded", late)
            assert_late(await line_of(explained, heard), "outbox")

    runner.run(scenario())


def test_a_client_that_does_not_read_is_named(
    runner: asyncio.Runner, server: Server, explained: Explained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no underrun: the line is no warning."""
    monkeypatch.setattr(wire_socket, "SEND_BUFFER_BYTES", 4096)

    async def scenario() -> None:
        async with listener(server.url, LONG * 2, format="pcm_f32le", sample_rate=48000) as heard:
            receiving = heard.client.ws.get_extra_info("socket")
            receiving.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # the kernel would hold many seconds
            await heard.until_heard(SETTLED_MS)
            await asyncio.sleep(2 * LATE_S)
            assert_late(await line_of(explained, heard), "client", logging.INFO)

    runner.run(scenario())


def test_more_streams_than_the_machine_carries_make_a_queue(
    runner: asyncio.Runner, server: Server, explained: Explained
) -> None:
    """Most of those who run dry waited for a device that worked for others."""

    async def one() -> None:
        async with listener(server.url, LONG * 4) as heard:
            while len(explained.records) < 12:
                await heard.for_a_while(0.5)

    async def scenario() -> None:
        async with asyncio.timeout(60.0):  # how soon somebody runs dry is the machine's speed
            await asyncio.gather(*(one() for _ in range(24)))

    runner.run(scenario())
    stages = Counter(getattr(record, "stage", "") for record in explained.records if hasattr(record, "stage"))
    assert stages.most_common(1)[0][0] == "queue", stages
