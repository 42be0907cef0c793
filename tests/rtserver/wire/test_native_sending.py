"""How sound leaves by the native wire: together where it waits together, and without holding up what comes in."""

from __future__ import annotations

import asyncio

import pytest

from rtserver.engine.fake import FakeEngine, FakeOptions
from rtserver.messages import wire
from rtserver.wire import conversation, socket_frames
from rtserver.wire.native import dialect
from tests.rtserver.serving import eventually, served
from tests.rtserver.wire.raw_client import RawClient
from tests.rtserver.wire.wire_client import wire_client

LONG = "word " * 400  # 96 s of sound, several times what a socket and its buffers hold


def test_sound_that_waits_together_arrives_frame_by_frame() -> None:
    """From an engine that makes much at once: every frame whole, in order and at its place, all of them there."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.0, hop_s=0.1, hops_a_turn=50))
        async with served(engine) as server, wire_client(server.url) as client:
            for context in ("a", "b"):
                await client.send("start", context=context, text=LONG, end=True, seed=3, **{"class": "batch"})
            for _ in range(2):
                await client.until("done")
            for context in ("a", "b"):
                position = 0
                for number, (seq, start_ms, data) in enumerate(client.heard[context].audio):
                    assert (seq, start_ms) == (number, position // 48)
                    position += len(data)
                assert position == 96_000 * 48
            assert client.heard["a"].pcm == client.heard["b"].pcm

    asyncio.run(scenario())


def test_frames_that_wait_leave_in_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as a burst may hold, and no more. What a mark stands between does not wait together."""
    written: list[int] = []
    made = socket_frames.audio_frames

    def noted(frames: list[wire.Audio]) -> bytes:
        written.append(sum(len(f.data) for f in frames))
        return made(frames)

    monkeypatch.setattr(dialect, "audio_frames", noted)

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.0, hop_s=0.1, hops_a_turn=200))
        async with served(engine) as server, wire_client(server.url) as client:
            await client.send("start", text=LONG, end=True, marks=False, **{"class": "batch"})
            await client.until("done")
            assert len(client.heard["main"].pcm) == 96_000 * 48

    asyncio.run(scenario())
    assert conversation.BURST_BYTES // 2 < max(written) <= conversation.BURST_BYTES


def test_a_cancel_is_heard_while_sound_is_not_taken_and_pings_come() -> None:
    """A client that reads nothing and pings: its pongs hold up nobody, so that its cancel ends the work at once."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.0, hop_s=0.1))
        async with served(engine) as server:
            client = await RawClient.connect(server.url)
            client.say(type="start", text=LONG, end=True, **{"class": "batch"})
            (connection,) = server.app.connections
            await eventually(lambda: connection.waiting_bytes > 400_000)
            waiting = connection.waiting_bytes
            for _ in range(3):
                await asyncio.sleep(0.05)
                assert connection.waiting_bytes >= waiting  # the client takes nothing
            for number in range(20):
                client.send(9, b"%d" % number)
            client.say(type="cancel")
            await eventually(lambda: engine.live == 0, 3.0)
            await client.close()

    asyncio.run(scenario())


def test_a_ping_is_answered_with_what_it_carried() -> None:
    """While sound is taken, also in the midst of it."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.5, hop_s=0.1))
        async with served(engine) as server:
            client = await RawClient.connect(server.url)
            client.say(type="start", text=LONG, end=True)
            while (await client.frame())[0] != 2:
                pass
            client.send(9, b"are you there")
            answers = [await client.frame() for _ in range(10)]
            assert (10, b"are you there") in answers and any(opcode == 2 for opcode, _ in answers)
            await client.close()

    asyncio.run(scenario())


def test_no_frame_follows_cancelled_on_the_wire() -> None:
    """What was written is ahead of it, whatever waits is gone, and the socket lives on."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.0, hop_s=0.1, hops_a_turn=20))
        async with served(engine) as server, wire_client(server.url) as client:
            await client.send("start", text=LONG, end=True, **{"class": "batch"})
            await client.until("audio")
            await client.send("cancel")
            cancelled = await client.until("cancelled")
            assert cancelled["sent_ms"] == len(client.heard["main"].pcm) // 48 < 96_000
            await client.send("ping", id="p")
            assert (await client.next())["type"] == "pong"

    asyncio.run(scenario())
