"""The seam for dialects, with one that differs from the native wire in all that a dialect may differ in."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
from collections.abc import AsyncIterator, Iterable
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from rtserver.application import DIALECTS
from rtserver.engine.fake import FakeEngine, FakeOptions
from rtserver.front.app import App
from rtserver.messages import wire
from rtserver.wire import door
from rtserver.wire.dialect import Action
from rtserver.wire.door import socket_route
from tests.rtserver.http.http_client import SAMPLES, TEXT
from tests.rtserver.serving import Served, eventually, served
from tests.rtserver.wire import karaoke
from tests.rtserver.wire.wire_client import wire_client


class Singer:
    """A client of the dialect."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws

    async def send(self, **message: Any) -> None:
        await self.ws.send_str(json.dumps(message))

    async def next(self) -> dict[str, Any]:
        """The next message, or how the socket is closed."""
        frame = await self.ws.receive(10)
        if frame.type is aiohttp.WSMsgType.TEXT:
            message: dict[str, Any] = json.loads(frame.data)
            return message
        return {"closed": self.ws.close_code, "why": frame.extra}

    async def song(self) -> tuple[list[str], bytes, int, dict[str, Any]]:
        """The words, the sound, in how many messages it came, and how the song ended."""
        words: list[str] = []
        sound, messages = b"", 0
        while "sound" in (message := await self.next()):
            words += message["words"]
            sound += base64.b64decode(message["sound"], validate=True)
            messages += 1
        return words, sound, messages, message


@contextlib.asynccontextmanager
async def singer(server: Served, query: str = "", path: str = "/karaoke", **options: Any) -> AsyncIterator[Singer]:
    async with aiohttp.ClientSession() as http, http.ws_connect(f"{server.url}{path}{query}", **options) as ws:
        yield Singer(ws)


def karaoke_bar(engine: FakeEngine | None = None, **settings: Any) -> contextlib.AbstractAsyncContextManager[Served]:
    return served(engine, dialects={**DIALECTS, "karaoke": karaoke.routes}, **settings)


def test_words_and_sound_come_in_one_message() -> None:
    """The sound of the native wire, in messages that hold the words that begin in it; songs follow each other."""

    async def scenario() -> None:
        async with karaoke_bar() as server, singer(server) as client, wire_client(server.url) as native:
            await client.send(sing=TEXT)
            await client.send(sing="five six")
            words, sound, messages, end = await client.song()
            assert words == TEXT.split() and messages > 1 and end == {"sung": True}
            words, second, _, end = await client.song()
            assert words == ["five", "six"] and end == {"sung": True} and second
            await native.send("start", text=TEXT, end=True, seed=3)
            await native.until("done")
            assert sound == native.heard["main"].pcm and len(sound) == 2 * SAMPLES

    asyncio.run(scenario())


def test_a_dialect_has_every_format() -> None:
    """It asks for one in its start, and gets the container's bytes."""

    async def scenario() -> None:
        async with karaoke_bar() as server, singer(server, "?format=wav") as client:
            await client.send(sing=TEXT)
            _, sound, _, _ = await client.song()
            assert sound.startswith(b"RIFF") and len(sound) == 44 + 2 * SAMPLES

    asyncio.run(scenario())


def test_the_key_comes_in_the_first_message() -> None:
    """A known one lets in, and so does one in the handshake; with any other first message the dialect says sorry."""

    async def scenario() -> None:
        async with karaoke_bar(api_keys=["right"]) as server:
            async with singer(server) as client:
                await client.send(key="right")
                await client.send(sing=TEXT)
                assert (await client.song())[3] == {"sung": True}
            async with singer(server, headers={"X-API-Key": "right"}) as client:
                await client.send(sing=TEXT)
                assert (await client.song())[3] == {"sung": True}
            for first in ('{"key": "wrong"}', '{"sing": "one"}', "no JSON", "[]"):
                async with singer(server) as client:
                    await client.ws.send_str(first)
                    refused = await client.next()
                    assert "key" in refused["sorry"] and refused["id"].startswith("u_"), first
                    assert await client.next() == {"bye": True}
                    assert await client.next() == {"closed": 1008, "why": "unauthorized"}
            await eventually(lambda: not server.app.connections)

    asyncio.run(scenario())


def test_a_key_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The socket closes; meanwhile only so many may be without a key."""
    monkeypatch.setattr(door, "FIRST_MESSAGE_S", 0.3)
    monkeypatch.setattr(door, "MAX_UNKNOWN", 1)

    async def scenario() -> None:
        async with karaoke_bar(api_keys=["right"]) as server, singer(server) as silent:
            async with singer(server) as second:
                assert "at most 1" in (await second.next())["sorry"]
                assert await second.next() == {"bye": True}
                assert (await second.next())["closed"] == 1013
            assert "key" in (await silent.next())["sorry"]
            assert await silent.next() == {"bye": True}
            assert (await silent.next())["closed"] == 1008
            async with singer(server) as third:
                await third.send(key="right")
                await third.send(sing=TEXT)
                assert (await third.song())[3] == {"sung": True}

    asyncio.run(scenario())


def test_a_stop_ends_the_song() -> None:
    """No sound follows `stopped`, and the work ends; the next song is sung."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.3))
        async with karaoke_bar(engine) as server, singer(server) as client:
            await client.send(sing=TEXT * 10)
            assert "sound" in await client.next()
            await client.send(stop=True)
            assert (await client.song())[3] == {"stopped": True} and engine.live == 0
            await client.send(sing=TEXT)
            words, _, _, end = await client.song()
            assert words == TEXT.split() and end == {"sung": True}

    asyncio.run(scenario())


@pytest.mark.parametrize(("frame", "told"), [("no JSON", "expected JSON"), ('{"sing": 5}', "a string to sing")])
def test_the_dialect_words_what_it_cannot_read(frame: str, told: str) -> None:
    """The session answers, the dialect says it in its way, and the socket lives on."""

    async def scenario() -> None:
        async with karaoke_bar() as server, singer(server) as client:
            await client.ws.send_str(frame)
            assert told in (await client.next())["sorry"]
            await client.send(sing=TEXT)
            assert (await client.song())[3] == {"sung": True}

    asyncio.run(scenario())


class BrokenKaraoke(karaoke.Karaoke):
    """Has a fault for each way."""

    def take(self, message: karaoke.Message) -> Iterable[Action]:
        if "fault" in message:
            raise RuntimeError("a fault on the way in")
        return super().take(message)

    def tell(self, message: wire.ServerMessage) -> Iterable[Action]:
        if isinstance(message, wire.Done):
            raise RuntimeError("a fault on the way out")
        return super().tell(message)


@pytest.mark.parametrize("sent", [{"fault": True}, {"sing": "one"}], ids=["in", "out"])
def test_a_fault_closes_only_its_socket(sent: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    """With 1011, and a line in the log; its work ends, and others sing on."""

    def broken(app: App) -> list[web.RouteDef]:
        return [web.get("/broken", socket_route(app, BrokenKaraoke))]

    async def scenario() -> None:
        async with served(dialects={"karaoke": karaoke.routes, "broken": broken}) as server, singer(server) as other:
            async with singer(server, path="/broken") as client:
                await client.send(**sent)
                closed = (await client.song())[3]
                assert closed["closed"] == 1011
                assert re.fullmatch(r"internal: the server failed \(i_[a-z2-7]{12}\)", str(closed["why"]))
            await eventually(lambda: len(server.app.connections) == 1 and server.engine.live == 0)
            await other.send(sing=TEXT)
            assert (await other.song())[3] == {"sung": True}

    asyncio.run(scenario())
    assert "BrokenKaraoke" in caplog.text and "a fault on the way" in caplog.text


def test_a_binary_frame_and_a_shutdown_close_it() -> None:
    """With the codes of every dialect; its last words come before those of the server's stop."""

    async def scenario() -> None:
        async with karaoke_bar() as server, singer(server) as client, singer(server) as other:
            await client.ws.send_bytes(b"{}")
            assert (await client.next()) == {"closed": 1003, "why": "expected text frames, found a binary one"}
            await eventually(lambda: len(server.app.connections) == 1)
            server.app.tell_shutdown(deadline=False)
            assert await other.next() == {"bye": True}
            assert (await other.next())["closed"] == 1001

    asyncio.run(scenario())
