"""Clients that send without end: the server reads on only as far as it can answer."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from socket import SO_SNDBUF, SOL_SOCKET

import pytest

from bench.load.attacks.raw_socket import PING, frame, open_socket
from rtserver.engine.fake import FakeEngine, FakeOptions
from rtserver.wire.conversation import MOST_ANSWER_BYTES
from rtserver.wire.socket import CONTROL_BELOW_BYTES, Socket
from tests.rtserver.http.http_client import TEXT, NotingEngine
from tests.rtserver.serving import Served, eventually, served
from tests.rtserver.wire.raw_client import RawClient
from tests.rtserver.wire.wire_client import wire_client

BIG_ID = "x" * 128


def test_who_reads_no_answers_is_read_no_more() -> None:
    """Of 60,000 pings a few hundred answers wait; a client that hangs up then leaves nothing."""

    async def scenario() -> None:
        async with served(messages_per_s=1_000_000, caller_messages_per_s=1_000_000) as server:
            client = await RawClient.connect(server.url)
            (connection,) = server.app.connections
            for _ in range(60):
                for _ in range(1000):
                    client.say(type="ping", id=BIG_ID)
                await asyncio.sleep(0.005)
                assert connection.waiting_bytes < MOST_ANSWER_BYTES + 10_000
            await eventually(lambda: connection.waiting_bytes > MOST_ANSWER_BYTES)
            for _ in range(20):
                await asyncio.sleep(0.005)
                assert connection.waiting_bytes < MOST_ANSWER_BYTES + 10_000
            await client.close()
            await eventually(lambda: not server.app.connections)

    asyncio.run(scenario())


def test_who_reads_its_answers_gets_all() -> None:
    """Reading goes on when answers were taken."""

    async def scenario() -> None:
        async with served(messages_per_s=1_000_000, caller_messages_per_s=1_000_000) as server:
            client = await RawClient.connect(server.url)
            ids = [f"{number:0128}" for number in range(12_000)]
            for ping_id in ids:
                client.say(type="ping", id=ping_id)
            await eventually(lambda: max(c.waiting_bytes for c in server.app.connections) > MOST_ANSWER_BYTES)
            answers = [json.loads((await client.frame())[1]) for _ in range(1 + len(ids))]
            assert [answer["id"] for answer in answers[1:]] == ids
            await client.close()

    asyncio.run(scenario())


def test_a_cancel_is_heard_while_sound_waits() -> None:
    """Sound is no answer: however much of it waits, the client is read."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.0))
        async with served(engine) as server:
            client = await RawClient.connect(server.url)
            client.say(type="start", context="a", text="word " * 2000, end=True, **{"class": "batch"})
            await eventually(lambda: any(c.waiting_bytes > MOST_ANSWER_BYTES for c in server.app.connections))
            client.say(type="cancel", context="a")
            await eventually(lambda: engine.live == 0)
            await client.close()

    asyncio.run(scenario())


def test_who_sends_too_much_for_too_long_is_closed() -> None:
    """With `rate_limited` and 1008, also its contexts; what others say is spoken meanwhile."""

    async def scenario() -> None:
        async with (
            served(NotingEngine(), messages_per_s=20, rate_limit_s=0.2) as server,
            wire_client(server.url) as client,
            wire_client(server.url) as other,
        ):
            await client.send("start", context="a")
            for _ in range(300):
                await client.send("ping")
            await other.send("start", context="b", text=TEXT, end=True)
            assert (await other.until("done"))["audio_ms"] == 900
            errors = [await client.until("error"), await client.until("error")]
            assert [(e["code"], e.get("context")) for e in errors] == [("rate_limited", "a"), ("rate_limited", None)]
            assert (await client.next())["code"] == 1008
            await eventually(lambda: len(server.app.connections) == 1)

    asyncio.run(scenario())


@contextlib.asynccontextmanager
async def pinged(pings: int, rate_limit_s: float) -> AsyncIterator[tuple[Served, RawClient]]:
    """A server that reads twenty messages a second, and a client that has sent so many pings of the protocol."""
    async with served(messages_per_s=20, rate_limit_s=rate_limit_s) as server:
        client = await RawClient.connect(server.url)
        for _ in range(pings):
            client.send(PING, b"")
        yield server, client


def test_pings_of_the_protocol_count_as_messages() -> None:
    """A flood of them is read slowly, too."""

    async def scenario() -> None:
        async with pinged(300, rate_limit_s=0.2) as (_, client):
            while (frame := await client.frame())[0] != 0x8:
                pass
            assert int.from_bytes(frame[1][:2], "big") == 1008
            await client.close()

    asyncio.run(scenario())


def test_what_one_sent_that_is_gone_is_not_read_to_its_end() -> None:
    """Its budget would let 1,000 pings through in 40 s, and its caller would hold the socket for so long."""

    async def scenario() -> None:
        async with pinged(1000, rate_limit_s=1000.0) as (server, client):
            await client.frame()
            await asyncio.sleep(0.5)
            await client.close()
            await eventually(lambda: not server.app.connections and not server.app.accounts.holders, 10.0)

    asyncio.run(scenario())


def test_others_have_their_turn_after_each_ping_before_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """No budget counts them: nobody knows yet whose they are."""
    turn = 0
    handled: list[int] = []
    monkeypatch.setattr(Socket, "_control", lambda *_: handled.append(turn))

    async def count_turns() -> None:
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    async def scenario() -> None:
        async with served(api_keys=["right"]) as server:
            port = int(server.url.rpartition(":")[2])
            client = await open_socket(port, "/v1/text-to-speech/default/stream-input", headers={})
            counting = asyncio.create_task(count_turns())
            await client.write(frame(b"", PING) * 500)
            await eventually(lambda: len(handled) == 500)
            counting.cancel()
            client.abort()

    asyncio.run(scenario())
    assert len(set(handled)) == 500


def test_no_pong_is_sent_to_who_takes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pongs would fill the memory: they are no answers of a session, which are counted."""
    written: list[int] = []
    control = Socket._control

    def noted(socket: Socket, opcode: int, payload: bytes = b"") -> None:
        control(socket, opcode, payload)
        assert socket._transport is not None
        written.append(socket._transport.get_write_buffer_size())

    monkeypatch.setattr(Socket, "_control", noted)

    async def scenario() -> None:
        async with served(messages_per_s=1_000_000, caller_messages_per_s=1_000_000) as server:
            client = await RawClient.connect(server.url)
            for connection in list(server.runner.server.connections if server.runner.server else ()):
                sock = connection.transport.get_extra_info("socket") if connection.transport is not None else None
                assert sock is not None
                sock.setsockopt(SOL_SOCKET, SO_SNDBUF, 1 << 12)
            for _ in range(4000):
                client.send(0x9, b"x" * 125)
            await eventually(lambda: len(written) == 4000)
            await client.close()

    asyncio.run(scenario())
    assert CONTROL_BELOW_BYTES <= max(written) < CONTROL_BELOW_BYTES + 200
