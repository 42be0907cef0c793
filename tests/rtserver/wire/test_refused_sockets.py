"""Sockets that are refused: all get their answer, in turn, and those that hang up meanwhile leave nothing."""

from __future__ import annotations

import asyncio
import logging

import pytest

from tests.rtserver.serving import Served, eventually, served

SOCKETS = 40
HANDSHAKE = (
    "GET /v1/speech/realtime?reserve=0.000001 HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


async def refused(server: Served) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client that asks for a reservation that is none."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rsplit(":", 1)[1]))
    writer.write(HANDSHAKE.encode())
    return reader, writer


def test_each_of_many_is_told_why() -> None:
    """Also those that wait for their turn."""

    async def scenario() -> None:
        async with served() as server:
            for reader, writer in [await refused(server) for _ in range(SOCKETS)]:
                told = await reader.read()
                assert told.startswith(b"HTTP/1.1 101") and b"expected a share of the time" in told
                writer.close()

    asyncio.run(scenario())


def test_who_hangs_up_while_it_waits_leaves_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """No fault is logged, and nothing is held."""

    async def scenario() -> None:
        async with served() as server:
            answered = 0

            async def held_up() -> None:
                nonlocal answered
                await asyncio.sleep(0.05)
                answered += 1

            server.app.pace_refusal = held_up  # type: ignore[method-assign]
            for _, writer in [await refused(server) for _ in range(SOCKETS)]:
                writer.transport.abort()
            await eventually(lambda: answered == SOCKETS)
            await asyncio.sleep(0)
            await eventually(lambda: not server.app.accounts.holders)

    with caplog.at_level(logging.WARNING):
        asyncio.run(scenario())
    assert caplog.records == []
