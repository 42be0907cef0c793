"""What a client holds while it is served, and that nothing is left after any end."""

from __future__ import annotations

import asyncio

import pytest

from rtserver.engine.fake import FakeEngine, FakeOptions
from tests.rtserver.front.ends import ENDS, LONG, End
from tests.rtserver.http.http_client import TEXT, NotingEngine, ask, spoken
from tests.rtserver.serving import Served, eventually, served
from tests.rtserver.wire.tts_client import tts_client
from tests.rtserver.wire.wire_client import wire_client

SLOW = FakeOptions(realtime_factor=1.0)


def nothing_held(server: Served) -> bool:
    return not +server.app.accounts.held and server.app.accounts.holders == 0


@pytest.mark.parametrize("end", ENDS)
def test_nothing_is_held_after_any_end(end: End) -> None:
    """Sockets, contexts, places, text: all is given back, and the caller is forgotten."""

    async def scenario() -> None:
        async with served(FakeEngine(FakeOptions(realtime_factor=0.05))) as server:
            async with wire_client(server.url, path="/v1/realtime?reserve=0.5") as client:
                await client.until("ready")
                assert server.app.accounts.held["sockets"] == server.app.accounts.held["reservations"] == 1
                await end(client, server)
            await eventually(lambda: nothing_held(server))

    asyncio.run(scenario())


def test_a_request_over_http_holds_and_gives_back() -> None:
    """A whole answer, a stream, a list of voices, a body that is none, and a client that leaves."""

    async def scenario() -> None:
        async with served(NotingEngine(FakeOptions(realtime_factor=0.2))) as server:
            speaking = asyncio.create_task(spoken(server.url, text=TEXT))
            await eventually(lambda: server.app.accounts.held["places"] == 1)
            held = server.app.accounts.held
            assert held["requests"] == held["sockets"] == held["contexts"] == 1 and held["text_chars"] == len(TEXT)
            await speaking
            await ask(f"{server.url}/v1/tts/stream", json={"text": TEXT})
            await ask(f"{server.url}/v1/tts", data=b"{")
            await ask(f"{server.url}/v1/voices", "GET")
            leaving = asyncio.create_task(ask(f"{server.url}/v1/tts", json={"text": LONG}))
            await eventually(lambda: server.app.accounts.held["places"] == 1)
            leaving.cancel()
            await eventually(lambda: nothing_held(server))

    asyncio.run(scenario())


def test_the_old_socket_holds_and_gives_back() -> None:
    """As the native one does."""

    async def scenario() -> None:
        async with served(FakeEngine(SLOW)) as server:
            async with tts_client(server) as client:
                await client.send(text=LONG)
                await eventually(lambda: server.app.accounts.held["places"] == 1)
                assert server.app.accounts.held["sockets"] == 1
                client.transport.abort()
            await eventually(lambda: nothing_held(server))

    asyncio.run(scenario())


def test_one_caller_cannot_take_what_others_need() -> None:
    """Of two keys one has all the sockets that a key may have: the other still comes in."""

    async def scenario() -> None:
        limits = {"sockets": 1}
        async with served(api_keys=["ann", "ben"], caller_limits=limits) as server:
            ann, ben = {"X-API-Key": "ann"}, {"X-API-Key": "ben"}
            async with wire_client(server.url, headers=ann) as first:
                await first.until("ready")
                async with wire_client(server.url, headers=ann) as second:
                    error = await second.next()
                    assert error["code"] == "overloaded" and "at most 1 connections of one caller" in error["message"]
                assert (await ask(f"{server.url}/v1/tts", json={"text": TEXT}, headers=ann)).status == 429
                assert (await ask(f"{server.url}/v1/tts", json={"text": TEXT}, headers=ben)).status == 200

    asyncio.run(scenario())


def test_batch_work_locks_nobody_out() -> None:
    """Starts of class batch without text take no place of realtime contexts: speech is spoken beside all of them."""

    async def scenario() -> None:
        async with served(NotingEngine()) as server, wire_client(server.url) as client:
            for number in range(32):
                await client.send("start", context=str(number), **{"class": "batch"})
            await eventually(lambda: server.app.admission.live("batch") == 32)
            assert (await ask(f"{server.url}/v1/tts", json={"text": TEXT})).status == 200

    asyncio.run(scenario())


def test_a_limit_of_open_text_ends_the_context_that_is_too_much() -> None:
    """It says how much is held; the others go on."""

    async def scenario() -> None:
        async with served(FakeEngine(SLOW), max_text_chars=30) as server, wire_client(server.url) as client:
            for name in ("a", "b"):
                await client.send("start", context=name, text="ten chars ")
            await client.send("text", context="b", text="eleven more")
            error = await client.until("error")
            assert (error["context"], error["code"]) == ("b", "overloaded")
            assert "at most 30 characters of text" in error["message"]
            await client.send("text", context="a", text="ten more..")
            await eventually(lambda: server.app.accounts.held["text_chars"] == 20)

    asyncio.run(scenario())


def test_requests_under_way_are_bounded() -> None:
    """Also of a path that speaks nothing, and of a body that never comes; metrics say what is held and refused."""

    async def scenario() -> None:
        async with served(FakeEngine(SLOW), caller_limits={"requests": 1}, api_keys=["ann", "ben metrics"]) as server:
            url, ann = server.url, {"X-API-Key": "ann"}
            _, writer = await asyncio.open_connection(*server.runner.addresses[0])
            writer.write(b"POST /v1/tts HTTP/1.1\r\nHost: localhost\r\nX-API-Key: ann\r\nContent-Length: 9\r\n\r\n")
            await eventually(lambda: server.app.accounts.held["requests"] == 1)
            assert (await ask(f"{url}/v1/voices", "GET", headers=ann)).refused == (429, "overloaded")
            text = (await ask(f"{url}/metrics", "GET", headers={"X-API-Key": "ben"})).body.decode()
            assert 'rt_held{kind="sockets"} 1.0' in text and 'rt_hold_refusals_total{kind="requests"} 1.0' in text
            writer.transport.abort()
            await eventually(lambda: nothing_held(server))

    asyncio.run(scenario())
