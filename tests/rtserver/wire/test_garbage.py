"""What is over is freed at once: nothing of it waits for the garbage collector, which a front calls rarely."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Iterator

import pytest
from aiohttp import web

from bench.load.attacks.raw_socket import HANG_UPS, TEXT, HangUp, frame, open_socket
from rtserver.engine.fake import FakeEngine, FakeOptions, FakeUtterance
from rtserver.front.connection import Connection
from rtserver.front.place import UtterancePlace
from rtserver.front.utterance import FrontUtterance
from rtserver.http.connections import _Connection
from rtserver.wire.conversation import Conversation
from rtserver.wire.socket import Socket
from tests.rtserver.front.ends import ENDS, LONG, End
from tests.rtserver.http.http_client import TEXT as SENTENCE
from tests.rtserver.http.http_client import ask, connected
from tests.rtserver.serving import eventually, served
from tests.rtserver.wire.wire_client import wire_client

KINDS = (
    *(FrontUtterance, FakeUtterance, UtterancePlace, Connection, Conversation, Socket, web.Request),
    *(_Connection, web.HTTPNotFound, web.HTTPMethodNotAllowed, web.HTTPExpectationFailed),
)
QUICK = FakeOptions(realtime_factor=0.05)
TIMES = 5


@pytest.fixture(autouse=True)
def uncollected() -> Iterator[None]:
    """The garbage collector does nothing during a test, and does not see what other tests have left."""
    gc.disable()
    gc.freeze()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def in_memory() -> Counter[str]:
    """How many objects of KINDS the test has made that exist."""
    return Counter(type(thing).__name__ for thing in gc.get_objects() if type(thing) in KINDS)


@pytest.mark.parametrize("end", ENDS)
def test_no_end_of_a_context_leaves_garbage(end: End) -> None:
    """Neither its utterances nor their socket refer to themselves."""

    async def scenario() -> None:
        async with served(FakeEngine(QUICK)) as server:
            async with wire_client(server.url) as client:
                await client.until("ready")
                await end(client, server)
            await eventually(lambda: not in_memory(), timeout_s=1)

    asyncio.run(scenario())


def test_many_contexts_of_one_socket_leave_no_garbage() -> None:
    """While the socket lives on, none of its utterances that are over is in memory."""

    async def scenario() -> None:
        async with served(FakeEngine(QUICK)) as server, wire_client(server.url) as client:
            await client.until("ready")
            for _ in range(TIMES):
                await client.send("start", context="a", text="one ")
                await client.send("flush", context="a", id="f")
                await client.send("text", context="a", text="two ")
                await client.send("end", context="a")
                await client.until("done")
                await client.send("start", context="b", text=LONG)
                await client.send("cancel", context="b")
                await client.until("cancelled")
            await eventually(
                lambda: in_memory() == Counter(Connection=1, Conversation=1, Socket=1, Request=1, _Connection=1),
                timeout_s=1,
            )

    asyncio.run(scenario())


@pytest.mark.parametrize("how", HANG_UPS)
@pytest.mark.parametrize("last", ["", "not JSON", "\udc80"], ids=["speaking", "after an error", "no UTF-8"])
def test_no_hang_up_leaves_garbage(how: HangUp, last: str) -> None:
    """Whatever the socket ended with: aiohttp keeps errors with their frames."""

    async def hang_up(port: int) -> None:
        socket = await open_socket(port, "/v1/speech/realtime", (), {})
        await socket.write(frame(b'{"type": "start", "text": "%s"}' % LONG.encode(), TEXT))
        if last:
            await socket.write(frame(last.encode(errors="surrogatepass"), TEXT))
        await asyncio.sleep(0.02)
        await socket.hang_up(how)

    async def scenario() -> None:
        async with served(FakeEngine(QUICK)) as server:
            port = int(server.url.rpartition(":")[2])
            await asyncio.gather(*(hang_up(port) for _ in range(TIMES)))
            await eventually(lambda: not in_memory(), timeout_s=1)

    asyncio.run(scenario())


def test_requests_leave_no_garbage() -> None:
    """Whole answers, streams, refusals, and what no path is for."""

    async def scenario() -> None:
        async with served(FakeEngine(QUICK)) as server:
            for _ in range(TIMES):
                await ask(f"{server.url}/v1/tts", json={"text": SENTENCE})
                await ask(f"{server.url}/v1/tts/stream", json={"text": SENTENCE})
                await ask(f"{server.url}/v1/tts", json={"text": SENTENCE, "voice": "nobody"})
                await ask(f"{server.url}/v1/tts", "DELETE")
                await ask(f"{server.url}/nowhere", "GET")
                await ask(f"{server.url}/nowhere", "GET", headers={"Origin": "https://evil.example"})
                await ask(f"{server.url}/v1/tts", json={"text": SENTENCE}, headers={"Expect": "another"})
            await eventually(lambda: not in_memory(), timeout_s=1)

    asyncio.run(scenario())


NONSENSE = b"nonsense\r\n\r\n"
ANSWERED = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 3
LONG_BODY = b'{"text": "%s"}' % LONG.encode()
HEAD = b"POST /v1/tts HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
SPEAKING = HEAD % len(LONG_BODY) + LONG_BODY


@pytest.mark.parametrize("sent", [[HEAD % 9 + b"{"], [ANSWERED + NONSENSE], [SPEAKING, NONSENSE]])
def test_a_hang_up_within_a_request_leaves_no_garbage(sent: list[bytes]) -> None:
    """In its body, after a fault in what follows it, and while it is answered and such a fault waits."""

    async def scenario() -> None:
        async with served(FakeEngine(QUICK)) as server:
            for _ in range(TIMES):
                async with connected(server.url) as (_, writer):
                    for piece in sent:
                        writer.write(piece)
                        await asyncio.sleep(0.01)
                    writer.transport.abort()
            listener = server.runner.server
            assert listener is not None
            await eventually(lambda: not listener.connections)
            await eventually(lambda: not in_memory(), timeout_s=1)

    asyncio.run(scenario())


@pytest.mark.parametrize("sent", [NONSENSE, b"GET / HTTP/1.1\r\nHost\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"])
def test_what_is_no_http_leaves_no_garbage(sent: bytes) -> None:
    """Its error is answered like others."""

    async def scenario() -> None:
        async with served(FakeEngine(QUICK)) as server:
            for _ in range(TIMES):
                async with connected(server.url) as (reader, writer):
                    writer.write(sent)
                    assert b" 400 Bad Request" in await reader.read()
            await eventually(lambda: not in_memory(), timeout_s=1)

    asyncio.run(scenario())
