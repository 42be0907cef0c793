"""Contexts that wait for text, on real sockets: they hold no place, and end after a while."""

from __future__ import annotations

import asyncio

from rtserver.engine.fake import FakeEngine, FakeOptions
from tests.rtserver.engine.acoustic.loads import load_of
from tests.rtserver.http.http_client import TEXT, spoken
from tests.rtserver.serving import Served, eventually, served
from tests.rtserver.wire.wire_client import wire_client

REST_S = 0.1


def engine(streams: int | None = None) -> FakeEngine:
    """Its utterances rest soon; on a machine that is said to carry so many streams."""
    made = FakeEngine(FakeOptions(realtime_factor=0.01, rest_after_s=REST_S))
    made.load = None if streams is None else load_of(streams)
    return made


async def no_place_is_taken(server: Served) -> None:
    await eventually(lambda: server.app.admission.live("realtime") == 0)


def test_idle_contexts_lock_nobody_out() -> None:
    """As many starts without text as there are places: after a while others are spoken, and theirs is spoken too."""

    async def scenario() -> None:
        async with served(engine(), max_streams=4, place_idle_s=REST_S) as server, wire_client(server.url) as client:
            for number in range(4):
                await client.send("start", context=str(number))
            await eventually(lambda: server.app.admission.live("realtime") == 4)
            await no_place_is_taken(server)
            assert (await spoken(server.url, text=TEXT))["performance"]["audio_s"] == 0.9
            await client.send("text", context="0", text=TEXT)
            await client.send("end", context="0")
            assert (await client.until("done", "0"))["audio_ms"] == 900

    asyncio.run(scenario())


def test_a_context_that_never_has_text_is_ended() -> None:
    """With `idle_timeout`. Its name is free, and the socket lives on."""

    async def scenario() -> None:
        async with served(engine(), context_idle_s=0.2) as server, wire_client(server.url) as client:
            await client.send("start", context="a")
            error = await client.until("error")
            assert (error["code"], error["context"], error["retryable"]) == ("idle_timeout", "a", True)
            await client.send("start", context="a", text=TEXT, end=True)
            assert (await client.until("done", "a"))["audio_ms"] == 900

    asyncio.run(scenario())


def test_a_writer_may_pause_in_mid_turn() -> None:
    """It rests, and its place is another's; with the next text it goes on without a word of it."""

    async def scenario() -> None:
        async with (
            served(engine(1), place_idle_s=REST_S, context_idle_s=0.3) as server,
            wire_client(server.url) as client,
        ):
            await client.send("start", context="a", text="one two ")
            await client.until("audio")
            await asyncio.sleep(0.5)
            await no_place_is_taken(server)
            assert (await spoken(server.url, text=TEXT))["performance"]["audio_s"] == 0.9
            await client.send("text", context="a", text="three four")
            await client.send("end", context="a")
            assert (await client.until("done", "a"))["audio_ms"] == 900

    asyncio.run(scenario())
