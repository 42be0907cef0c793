"""How far a client of /ws/v1/tts may go, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import aiohttp
import pytest

from rtserver.engine.fake import FakeEngine, FakeOptions
from rtserver.wire.tts_v1.dialect import MAX_WAITING
from tests.rtserver.http.http_client import TEXT, NotingEngine, ask
from tests.rtserver.serving import Served, eventually, served
from tests.rtserver.wire.tts_client import tts_client

LONG = " ".join(["word"] * 200)


def test_a_binary_frame_closes_the_socket() -> None:
    """With 1003, also amid a speech, whose work ends."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.5))
        async with served(engine) as server, tts_client(server) as client:
            await client.send(text=LONG)
            assert (await client.ws.receive(10)).type is aiohttp.WSMsgType.BINARY
            assert engine.live == 1
            await client.ws.send_bytes(b'{"text": "x"}')
            assert await client.close_code() == 1003
            await eventually(lambda: engine.live == 0 and not server.app.connections)

    asyncio.run(scenario())


@pytest.mark.parametrize("how", ["close", "abort"])
@pytest.mark.parametrize("realtime_factor", [0.01, 1.0])
def test_leaving_midway_stops_the_work(how: str, realtime_factor: float) -> None:
    """Of an engine that is fast or slow, also with more requests waiting, of which none is begun."""

    async def scenario() -> None:
        engine = NotingEngine(FakeOptions(realtime_factor=realtime_factor))
        async with served(engine) as server, tts_client(server) as client:
            for _ in range(3):
                await client.send(text=LONG)
            assert (await client.ws.receive(10)).type is aiohttp.WSMsgType.BINARY
            if how == "close":
                await client.ws.close()
            else:
                client.transport.abort()
            await eventually(lambda: engine.live == 0 and not server.app.connections)
            await eventually(lambda: not [t for t in asyncio.all_tasks() if t.get_name() == "socket-send"])
            assert len(engine.requests) == 1

    asyncio.run(scenario())


def test_too_many_waiting_requests_are_refused() -> None:
    """Beyond MAX_WAITING a request is `overloaded`; those that wait are spoken."""

    async def scenario() -> None:
        async with served(FakeEngine(FakeOptions(realtime_factor=0.3))) as server, tts_client(server) as client:
            await client.send(text=TEXT)
            await eventually(lambda: len(server.app.connections) == 1)
            for _ in range(MAX_WAITING + 2):
                await client.send(text="a")
            said = [(await client.answer())[1] for _ in range(MAX_WAITING + 3)]
            errors = [one["error"] for one in said if "error" in one]
            assert [(error["code"], error["retryable"]) for error in errors] == [("overloaded", True)] * 2
            assert sum("done" in one for one in said) == MAX_WAITING + 1

    asyncio.run(scenario())


def test_requests_that_wait_are_bounded_in_bytes() -> None:
    """Large ones fill the room sooner; what has been spoken makes room again."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.3))
        async with served(engine, message_bytes=4000) as server, tts_client(server) as client:
            await client.send(text=TEXT)
            await eventually(lambda: len(server.app.connections) == 1)
            for _ in range(2):
                await client.send(text="a" + " " * 2500)
            said = [(await client.answer())[1] for _ in range(3)]
            assert [one["error"]["code"] for one in said if "error" in one] == ["overloaded"]
            await client.send(text="a" + " " * 2500)
            assert (await client.answer())[1]["done"]

    asyncio.run(scenario())


def test_a_reader_that_takes_nothing_is_dropped() -> None:
    """A client that does not read is hung up on, and its work ends."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.0))
        async with served(engine, slow_reader_s=0.3) as server, tts_client(server) as client:
            transport = client.transport
            await client.send(**{"text": "word " * 3000, "class": "batch", "format": "f32le"})
            transport.pause_reading()
            await eventually(lambda: len(server.app.connections) == 1)
            await eventually(lambda: not server.app.connections and engine.live == 0)
            transport.abort()

    asyncio.run(scenario())


def test_a_handshake_is_refused_with_its_status() -> None:
    """No WebSocket 426, no key 401, draining 503, and 429 when every place is taken by a socket."""

    async def scenario() -> None:
        async with served(api_keys=["right"], max_sockets=1) as server:
            url, key = f"{server.url}/ws/v1/tts", {"X-API-Key": "right"}
            assert (await ask(url, "GET", headers=key)).refused == (426, "bad_message")
            assert await refused_status(server, {}) == 401
            async with tts_client(server, headers=key):
                assert await refused_status(server, key) == 429
            server.app.drain()
            assert await refused_status(server, key) == 503

    async def refused_status(server: Served, headers: Mapping[str, str]) -> int:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with tts_client(server, headers=headers):
                pass
        return refused.value.status

    asyncio.run(scenario())


def test_a_server_that_stops_says_so() -> None:
    """While it drains a request is refused; then the socket closes with 1001, without waiting for its client."""

    async def scenario() -> None:
        async with served() as server, tts_client(server) as client:
            await client.send(text=TEXT)
            assert (await client.answer())[1]["done"]
            server.app.drain()
            await client.send(text=TEXT)
            error = (await client.answer())[1]["error"]
            assert (error["code"], error["retryable"]) == ("shutting_down", True)
            stopping = asyncio.create_task(server.runner.cleanup())
            assert await client.close_code() == 1001
            async with asyncio.timeout(10):
                await stopping

    asyncio.run(scenario())


def test_requests_that_wait_are_bounded_over_all_sockets() -> None:
    """What waits on one socket leaves less room on another; what is spoken makes room again."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.3))
        async with served(engine, max_text_chars=3000) as server, tts_client(server) as one, tts_client(server) as two:
            for client in (one, two):
                await client.send(text=TEXT)
            await eventually(lambda: engine.live == 2)
            await one.send(text="a" + " " * 2500)
            await eventually(lambda: server.app.accounts.held["text_chars"] > 2500)
            await two.send(text="a" + " " * 2500)
            error = (await two.answer())[1]["error"]
            assert error["code"] == "overloaded"
            assert "at most 3000 characters of text" in error["message"]
            assert "done" in (await two.answer())[1]
            for _ in range(2):
                assert "done" in (await one.answer())[1]
            await two.send(text="a" + " " * 2500)
            assert "done" in (await two.answer())[1]
            await eventually(lambda: server.app.accounts.held["text_chars"] == 0)

    asyncio.run(scenario())


def test_a_message_that_is_too_big_changes_nothing_for_the_others() -> None:
    """It is answered at once. The request that is spoken and those that wait go on in their order."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.1))
        async with served(engine, message_bytes=1000) as server, tts_client(server) as client:
            await client.send(text=TEXT)
            await eventually(lambda: engine.live == 1)
            await client.send(text="one")
            await client.send(text="x" * 1000)
            assert (await client.answer())[1]["error"]["code"] == "message_too_big"
            for _ in range(2):
                assert "done" in (await client.answer())[1]

    asyncio.run(scenario())
