"""Connections that are closed: of clients that send a request slower than they may, and those that are too many."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from tests.rtserver.http.http_client import ask, connected
from tests.rtserver.serving import eventually, served

HEAD = b"POST /v1/tts HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: 1000\r\n\r\n"


LIVE = b"GET /v1/live HTTP/1.1\r\nHost: localhost\r\n\r\n"


def test_half_of_a_head_is_not_waited_for() -> None:
    """408, for the first request of a connection and for a later one; a whole head in time is answered."""

    async def scenario() -> None:
        async with served(head_s=0.0) as server, connected(server.url) as (reader, writer):
            writer.write(LIVE)
            answer = await reader.readuntil(b'{"status": "alive"}')
            assert answer.startswith(b"HTTP/1.1 200 ")
            writer.write(LIVE[:-5])
            assert (await reader.read()).startswith(b"HTTP/1.1 408 ")
            async with connected(server.url) as (reader, writer):
                writer.write(b"G")
                assert (await reader.read()).startswith(b"HTTP/1.1 408 ")
            assert (await ask(f"{server.url}/v1/live", "GET")).status == 200

    asyncio.run(scenario())


def test_a_connection_without_a_request_is_closed() -> None:
    """One that asks nothing, and one that asks nothing more."""

    async def scenario() -> None:
        async with served(keepalive_s=0.2) as server:
            for asked, answered in ((b"", b""), (LIVE, b"HTTP/1.1 200 ")):
                async with connected(server.url) as (reader, writer):
                    writer.write(asked)
                    assert (await reader.read())[:13] == answered

    asyncio.run(scenario())


def test_half_of_a_body_is_not_waited_for() -> None:
    """408 `idle_timeout`, in every form of body."""

    async def scenario() -> None:
        async with served(body_s=0.0) as server:
            for kind, begun in (
                (b"application/json", b'{"text": "one'),
                (b"application/x-www-form-urlencoded", b"text=one"),
                (
                    b"multipart/form-data; boundary=cut",
                    b"--cut\r\nContent-Disposition: form-data; name=text\r\n\r\none",
                ),
                (b"multipart/form-data; boundary=cut", b"preamble"),
            ):
                async with connected(server.url) as (reader, writer):
                    writer.write(HEAD % kind + begun)
                    answer = await reader.readuntil(b"}}")
                    assert answer.startswith(b"HTTP/1.1 408 ") and b'"code": "idle_timeout"' in answer

    asyncio.run(scenario())


def test_a_body_that_says_that_it_is_too_large_is_not_waited_for() -> None:
    """413 before any of it has come. One that does not say so is refused as soon as it is."""

    async def scenario() -> None:
        async with served(upload_bytes=500, message_bytes=1000) as server, asyncio.timeout(5):
            async with connected(server.url) as (reader, writer):
                writer.write(HEAD.replace(b"1000", b"1000000000") % b"application/json")
                assert (await reader.readuntil(b"}}")).startswith(b"HTTP/1.1 413 ")
            async with connected(server.url) as (reader, writer):
                chunked = HEAD.replace(b"Content-Length: 1000", b"Transfer-Encoding: chunked") % b"application/json"
                writer.write(chunked + b"1000\r\n" + b" " * 0x1000)
                assert (await reader.readuntil(b"}}")).startswith(b"HTTP/1.1 413 ")

    asyncio.run(scenario())


def test_bodies_under_way_are_counted() -> None:
    """Together they hold no more than `max_body_bytes`: one that would is refused with 429, and the room comes back."""
    large = b'{"text": "' + b"x" * 1500

    async def scenario() -> None:
        async with served(upload_bytes=500, message_bytes=1000, max_body_bytes=2500) as server:
            held = server.app.accounts.held
            async with connected(server.url) as (_, first), connected(server.url) as (reader, second):
                for writer in (first, second):
                    writer.write(HEAD.replace(b"1000", b"2000") % b"application/json" + large)
                    await eventually(lambda: held["body_bytes"] > 0)
                answer = await reader.readuntil(b"}}")
                assert answer.startswith(b"HTTP/1.1 429 ") and b"bytes of request bodies at once" in answer
                assert held["body_bytes"] == len(large)
            await eventually(lambda: held["body_bytes"] == 0)

    asyncio.run(scenario())


def test_more_connections_than_there_is_room_for_are_closed(caplog: pytest.LogCaptureFixture) -> None:
    """At once and without an answer; the log says so, once. When others go there is room again."""

    async def scenario() -> None:
        async with served(most_connections=2) as server:
            async with connected(server.url) as (first, _), connected(server.url) as (_, writer):
                writer.write(LIVE)
                for _ in range(3):
                    with contextlib.suppress(ConnectionError):
                        async with connected(server.url) as (reader, _):
                            assert await reader.read() == b""
                assert not first.at_eof()
            listener = server.runner.server
            assert listener is not None
            await eventually(lambda: not listener.connections)
            assert (await ask(f"{server.url}/v1/live", "GET")).status == 200

    asyncio.run(scenario())
    assert [vars(record)["connections"] for record in caplog.records] == [2]
