"""Bytes are parsed in pieces and in turn, whoever sends how many of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import cast

import pytest

from bench.load.attacks.raw_socket import CONTINUATION, TEXT, frame
from rtserver.http import connections
from rtserver.http.fair_reading import PIECE_BYTES, TURN_S, FairReading
from tests.rtserver.http.http_client import connected
from tests.rtserver.serving import eventually, served
from tests.rtserver.wire.raw_client import RawClient


class Calls:
    """A loop that calls nothing by itself."""

    def __init__(self) -> None:
        self.soon: list[Callable[[], None]] = []

    def call_soon(self, call: Callable[[], None]) -> None:
        self.soon.append(call)

    def turn(self) -> None:
        calls, self.soon = self.soon, []
        for call in calls:
            call()


class Sender:
    """A connection with so many pieces, each of which takes time."""

    def __init__(
        self, reading: FairReading, name: str, pieces: int, parsed: list[str], spend: Callable[[], None]
    ) -> None:
        self._reading, self._name, self._pieces = reading, name, pieces
        self._parsed, self._spend = parsed, spend

    def parse_piece(self) -> None:
        self._spend()
        self._parsed.append(self._name)
        self._pieces -= 1
        if self._pieces:
            self._reading.add(self)


def parsed_in_turns(cost_s: float, **pieces: int) -> list[str]:
    """Whose pieces are parsed in each turn of the loop."""
    now_s, calls, turns = [0.0], Calls(), list[str]()
    reading, parsed = FairReading(cast(asyncio.AbstractEventLoop, calls), lambda: now_s[0]), list[str]()

    def spend() -> None:
        now_s[0] += cost_s

    for name, count in pieces.items():
        reading.add(Sender(reading, name, count, parsed, spend))
    while reading.is_busy:
        calls.turn()
        turns.append("".join(parsed))
        parsed.clear()
    assert not calls.soon
    return turns


def test_connections_take_turns() -> None:
    """One with much does not delay one with little, and a turn of the loop ends when its time is over."""
    assert parsed_in_turns(TURN_S, a=4, b=1, c=2) == ["a", "b", "c", "a", "c", "a", "a"]
    assert parsed_in_turns(TURN_S / 2.5, a=4, b=1, c=2) == ["abc", "aca", "a"]
    assert parsed_in_turns(0.0, a=9) == ["aaaaaaaaa"]


def test_a_fault_stops_nobody_else() -> None:
    """The others have their turns after it."""
    calls, parsed = Calls(), list[str]()
    reading = FairReading(cast(asyncio.AbstractEventLoop, calls), lambda: 0.0)

    def fail() -> None:
        raise LookupError("broken")

    reading.add(Sender(reading, "a", 1, parsed, fail))
    reading.add(Sender(reading, "b", 1, parsed, lambda: None))
    with pytest.raises(LookupError):
        calls.turn()
    calls.turn()
    assert parsed == ["b"] and not reading.is_busy and not calls.soon


UPGRADE = (
    b"GET /v1/realtime HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
CHUNKED = (
    b"POST /v1/tts HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
)
HEAD = b"GET /v1/live HTTP/1.1\r\nHost: localhost\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(100)) + b"\r\n"


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        (UPGRADE + frame(b"x", TEXT, final=False), frame(b"", CONTINUATION, final=False)),
        (CHUNKED, b"1\r\n \r\n"),
        (b"", HEAD),
    ],
    ids=["fragments", "chunks", "heads"],
)
def test_no_call_parses_more_than_a_piece(begin: bytes, more: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what costs much to parse, though one read brings far more of it."""
    sizes: list[int] = []
    parse = connections._Connection._parse

    def noted(connection: connections._Connection, data: bytes) -> None:
        sizes.append(len(data))
        parse(connection, data)

    monkeypatch.setattr(connections._Connection, "_parse", noted)
    data = begin + more * (5 * PIECE_BYTES // len(more))

    async def scenario() -> None:
        async with served() as server, connected(server.url) as (_, writer):
            writer.write(data)
            await eventually(lambda: sum(sizes) == len(data))

    asyncio.run(scenario())
    assert max(sizes) == PIECE_BYTES


def test_what_comes_in_pieces_is_whole_and_in_order() -> None:
    """Of several messages that are larger than a piece and come in one write, and of bodies."""

    async def scenario() -> None:
        async with served(messages_per_s=100_000, caller_messages_per_s=100_000) as server:
            client = await RawClient.connect(server.url)
            ids = [f"{number:0120}" for number in range(1000)]  # 160 KB
            for ping_id in ids:
                client.say(type="ping", id=ping_id)
            answers = [json.loads((await client.frame())[1]) for _ in range(1 + len(ids))]
            assert [answer["id"] for answer in answers[1:]] == ids
            await client.close()
            body = json.dumps({"text": "one", "unknown": "x" * 300_000}).encode()
            head = (
                "POST /v1/tts HTTP/1.1\r\nHost: localhost\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            async with connected(server.url) as (reader, writer):
                for _ in range(3):  # pipelined
                    writer.write(head.encode() + body)
                for _ in range(3):
                    answer = await reader.readuntil(b"}}")
                    assert b" 400 " in answer and b'"unknown_field"' in answer

    asyncio.run(scenario())


@pytest.mark.parametrize("path", [b"/v1/live", b"/nowhere", b"/v1/voices"])
def test_others_have_their_turn_between_requests_that_came_together(path: bytes) -> None:
    """Also where nothing that answers them waits."""
    requests, most = 100, 0

    async def scenario() -> None:
        nonlocal most
        async with served() as server, connected(server.url) as (reader, writer):
            writer.write(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path * requests)
            begun = 0
            async with asyncio.timeout(10):
                while begun < requests:
                    await asyncio.sleep(0)
                    most, begun = max(most, server.requests - begun), server.requests
            assert await reader.read(1)

    asyncio.run(scenario())
    assert most == 1
