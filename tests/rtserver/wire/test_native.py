"""The native wire over real sockets, with the tone engine."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time

import aiohttp
import msgpack
import pytest
from websockets.asyncio.client import connect as websockets_connect

from rtserver.engine.fake import FakeEngine, FakeOptions
from rtserver.wire import door, socket
from tests.rtserver.serving import UNREADABLE, eventually, served
from tests.rtserver.wire.wire_client import wire_client


def test_a_whole_request_is_spoken() -> None:
    """`start` with text and end gives ready, started, contiguous frames of which the first is 40 ms, and done."""

    async def scenario() -> None:
        async with served() as server, wire_client(server.url) as client:
            ready = await client.next()
            assert ready["type"] == "ready" and ready["protocol"] == 1 and ready["limits"]["contexts"] == 32
            await client.send("start", text="one two three four", end=True, seed=5)
            done = await client.until("done")
            heard = client.heard["main"]
            assert heard.kinds()[0] == "started" and heard.messages[0]["seed"] == 5
            assert [seq for seq, _, _ in heard.audio] == list(range(len(heard.audio)))
            position = 0
            for _, start_ms, data in heard.audio:
                assert start_ms == position // 48 and len(data) % 2 == 0
                position += len(data)
            assert len(heard.audio[0][2]) == 40 * 48
            assert done["audio_ms"] == position // 48 > 0
            assert done["usage"]["characters"] == 18

    asyncio.run(scenario())


def test_text_in_pieces_of_any_size_gives_the_same_sound() -> None:
    """Characters one by one, spread over frames, sound like the text at once."""

    async def scenario() -> None:
        async with served() as server, wire_client(server.url) as client:
            for context, pieces in (("a", ["one two three"]), ("b", list("one two three"))):
                await client.send("start", context=context, seed=1)
                for piece in pieces:
                    await client.send("text", context=context, text=piece)
                await client.send("end", context=context)
            for _ in range(2):
                await client.until("done")
            assert client.heard["a"].pcm == client.heard["b"].pcm != b""

    asyncio.run(scenario())


def test_msgpack_carries_the_same_messages() -> None:
    """On rt.v1.msgpack everything is a map in a binary frame, audio with its context and without a stream."""

    async def scenario() -> None:
        async with served() as server, aiohttp.ClientSession() as http:
            async with http.ws_connect(f"{server.url}/v1/realtime", protocols=("rt.v1.msgpack",)) as ws:
                await ws.send_bytes(msgpack.packb({"type": "start", "text": "one two", "end": True, "seed": 3}))
                kinds: list[str] = []
                pcm = b""
                while kinds[-1:] != ["done"]:
                    message = msgpack.unpackb((await ws.receive(10)).data)
                    kinds.append(message["type"])
                    if message["type"] == "audio":
                        assert set(message) == {"type", "context", "seq", "start_ms", "data"}
                        pcm += message["data"]
            async with wire_client(server.url) as client:
                await client.send("start", text="one two", end=True, seed=3)
                await client.until("done")
                assert kinds[:2] == ["ready", "started"]
                assert pcm == client.heard["main"].pcm != b""

    asyncio.run(scenario())


def test_nothing_follows_cancelled() -> None:
    """After `cancelled` no frame of the context comes; the socket speaks on under the same name."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.2))
        async with served(engine) as server, wire_client(server.url) as client:
            await client.send("start", text="one two three four five six " * 10, end=True)
            await client.until("audio")
            await client.send("cancel", context="main")
            cancelled = await client.until("cancelled")
            assert cancelled["sent_ms"] > 0 and cancelled["heard_from"] == "estimated"
            frames = len(client.heard["main"].audio)
            await client.send("ping", id="after")
            await client.until("pong")
            assert len(client.heard["main"].audio) == frames
            assert server.engine.live == 0
            await client.send("start", text="again", end=True)
            await client.until("done")

    asyncio.run(scenario())


@pytest.mark.parametrize("subprotocol", ["rt.v1.json", "rt.v1.msgpack"])
def test_a_frame_of_the_wrong_kind_closes_the_socket(subprotocol: str) -> None:
    """A binary frame on JSON, or a text frame on msgpack, ends it with 1003."""

    async def scenario() -> None:
        async with (
            served() as server,
            aiohttp.ClientSession() as http,
            http.ws_connect(f"{server.url}/v1/realtime", protocols=(subprotocol,)) as ws,
        ):
            await ws.receive(10)
            if subprotocol == "rt.v1.json":
                await ws.send_bytes(b"{}")
            else:
                await ws.send_str("{}")
            assert (await ws.receive(10)).type is aiohttp.WSMsgType.CLOSE
            assert ws.close_code == 1003

    asyncio.run(scenario())


def test_large_messages_are_refused_and_huge_ones_close() -> None:
    """Over the limit a message is answered and the socket lives; over twice the limit it closes with 1009."""

    async def scenario() -> None:
        async with served() as server, wire_client(server.url) as client:
            await client.send("start", text="x" * (3 << 19))
            error = await client.until("error")
            assert error["code"] == "message_too_big" and "1048576" in error["message"]
            await client.send("ping", id="alive")
            await client.until("pong")
            # The server closes as soon as it has read the length: the rest may meet a closed connection.
            with contextlib.suppress(ConnectionError):
                await client.ws.send_str("x" * (door.LARGEST_FRAME_LIMITS * (1 << 20) + 10))
            assert (await client.next())["code"] in (1009, 1006)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("no json", "bad_message"),
        ("[1]", "bad_message"),
        ("[" * 100_000, "bad_message"),
        ('{"type": "start", "seed": 1e400}', "bad_message"),
        ('{"type": "start", "seed": 1' + "0" * 500 + "}", "bad_message"),
        ('{"type": "start", "text": "\\ud800 x"}', "bad_message"),
        ('{"type": "start", "text": "a\\u0000b"}', "bad_message"),
        ('{"type": "fly"}', "unknown_type"),
        ('{"type": "start", "colour": "red"}', "unknown_field"),
        ('{"type": "text", "text": "x", "context": "nobody"}', "unknown_context"),
        ('{"type": "start", "voice": "nobody", "text": "x", "end": true}', "unknown_voice"),
        ('{"type": "start", "mode": "opera"}', "unknown_mode"),
        ('{"type": "start", "format": "aiff"}', "unsupported_format"),
    ],
)
def test_each_bad_message_has_its_code(frame: str, code: str) -> None:
    """What cannot be used is answered by its code, and the socket lives on."""

    async def scenario() -> None:
        async with served() as server, wire_client(server.url) as client:
            await client.ws.send_str(frame)
            assert (await client.until("error"))["code"] == code
            await client.send("start", context="next", text="fine", end=True)
            await client.until("done", "next")

    asyncio.run(scenario())


def test_a_text_that_cannot_be_read_ends_only_its_context() -> None:
    """When the reader fails, that context gets an error and its work ends; others go on."""

    async def scenario() -> None:
        async with served() as server, wire_client(server.url) as client:
            await client.send("start", context="bad", text=f"one {UNREADABLE} two ")
            error = await client.until("error", "bad")
            assert error["code"] == "internal"
            await client.send("start", context="good", text="fine", end=True)
            await client.until("done", "good")
            assert server.engine.live == 0

    asyncio.run(scenario())


def test_compression_is_declined() -> None:
    """A client that offers permessage-deflate gets none."""

    async def scenario() -> None:
        async with served() as server:
            url = server.url.replace("http", "ws") + "/v1/realtime"
            async with websockets_connect(url, compression="deflate") as ws:
                assert ws.response is not None
                assert "Sec-WebSocket-Extensions" not in ws.response.headers
                assert json.loads(await ws.recv())["type"] == "ready"

    asyncio.run(scenario())


def test_the_server_pings_and_drops_a_peer_that_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pings come by the interval; a peer that answers lives, one that does not is dropped."""
    monkeypatch.setattr(socket, "PING_INTERVAL_S", 0.05)

    async def scenario() -> None:
        async with served() as server, aiohttp.ClientSession() as http:
            url = f"{server.url}/v1/realtime"
            async with wire_client(server.url) as answering, http.ws_connect(url, autoping=False) as silent:
                assert (await answering.next())["type"] == "ready"
                kinds: list[aiohttp.WSMsgType] = []
                while kinds[-1:] != [aiohttp.WSMsgType.CLOSED]:
                    with pytest.raises(TimeoutError):
                        await answering.next(0.01)  # aiohttp answers pings while it receives
                    kinds.append((await silent.receive(5)).type)
                    if kinds[-1] in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.ERROR):
                        break
                assert kinds.count(aiohttp.WSMsgType.PING) >= 3
                await answering.send("ping", id="alive")
                await answering.until("pong")

    asyncio.run(scenario())


def test_a_server_that_stood_still_drops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its machine slept for longer than a silent peer lives: peers that answer go on."""
    monkeypatch.setattr(socket, "PING_INTERVAL_S", 0.05)

    async def scenario() -> None:
        async with served() as server, wire_client(server.url) as client:
            assert (await client.next())["type"] == "ready"
            asyncio.get_running_loop().call_soon(time.sleep, 0.5)  # the server shares this loop
            with pytest.raises(TimeoutError):
                await client.next(0.1)
            await client.send("ping", id="alive")
            await client.until("pong")

    asyncio.run(scenario())


def test_a_peer_that_vanishes_ends_its_work() -> None:
    """When the connection breaks in mid-speech, its utterances end and others go on."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.5))
        async with served(engine) as server, wire_client(server.url) as other:
            async with aiohttp.ClientSession() as http:
                ws = await http.ws_connect(f"{server.url}/v1/realtime")
                await ws.send_str('{"type": "start", "text": "one two three four five six", "end": true}')
                while (await ws.receive(10)).type is not aiohttp.WSMsgType.BINARY:
                    pass
                assert engine.live == 1
                transport = ws._response.connection.transport  # type: ignore[union-attr]
                assert transport is not None
                transport.abort()
                await ws.close()
            await eventually(lambda: engine.live == 0)
            await other.send("start", text="hello", end=True)
            await other.until("done")

    asyncio.run(scenario())


def test_a_reader_that_does_not_read_is_closed() -> None:
    """Unread sound stops the socket's own work, then closes the socket; another one does not notice."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.0))
        async with served(engine, slow_reader_s=0.5) as server, wire_client(server.url) as other:
            url = server.url.replace("http", "ws") + "/v1/realtime"
            async with websockets_connect(url, max_queue=1) as slow:
                await slow.send(json.dumps({"type": "start", "class": "batch", "text": "word " * 3000, "end": True}))
                slow.transport.pause_reading()
                await other.send("start", text="hello", end=True)
                await other.until("done")
                await eventually(lambda: engine.live == 0)
                await eventually(lambda: len(server.app.connections) == 1)

    asyncio.run(scenario())
