"""Clients that hang up: whenever they do, their work ends and nothing is left of them."""

from __future__ import annotations

import asyncio
import json
import os
import random

import pytest

from rtserver.engine.fake import FakeEngine, FakeOptions
from tests.rtserver.http.http_client import SAMPLES, TEXT, NotingEngine, base64_of, file_of, pcm_of, spoken
from tests.rtserver.serving import Served, eventually, served
from tests.rtserver.uploads.files import sound_file, sweep

LONG = " ".join(["word"] * 60)  # 14.4 s
HANG_UPS = 100
AT_ONCE = 10


def post(path: str, **fields: object) -> bytes:
    """A request in the bytes of HTTP."""
    body = json.dumps(fields).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def socket_request(**fields: object) -> bytes:
    """A WebSocket handshake, and a request in a frame after it."""
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13"
    head = f"GET /ws/v1/tts HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{key}\r\n\r\n"
    body = json.dumps(fields).encode()
    # A text frame, masked with zeros, its length in 16 bits or in 64.
    length = b"\xfe" + len(body).to_bytes(2, "big") if len(body) < 65536 else b"\xff" + len(body).to_bytes(8, "big")
    return head.encode() + b"\x81" + length + bytes(4) + body


def requests() -> list[bytes]:
    """One of each kind: texts, and recordings that are to be decoded."""
    audio = base64_of(sound_file("wav-16", sweep(0.5)))
    return [
        post("/v1/tts", text=LONG),
        post("/v1/tts", text=LONG, format="mp3", prompt_audio=audio),
        post("/v1/tts/stream", text=LONG, **{"class": "batch"}),
        post("/v1/tts/stream", text=LONG, format="ogg_opus"),
        socket_request(text=LONG),
        socket_request(text=LONG, encoding="base64", prompt_audio=audio, **{"class": "batch"}),
    ]


async def hang_up(server: Served, request: bytes, draw: random.Random) -> str:
    """Leaves amid sending, or amid what comes back; where it was."""
    reader, writer = await asyncio.open_connection(*server.runner.addresses[0])
    try:
        if draw.random() < 0.3:
            writer.write(request[: draw.randrange(len(request))])
            await writer.drain()
            await asyncio.sleep(draw.choice([0.0, draw.uniform(0.0, 0.05)]))
            return "sending"
        writer.write(request)
        await writer.drain()
        if draw.random() < 0.5:
            await asyncio.sleep(draw.uniform(0.0, 0.2))
            return "waiting"
        await reader.read(draw.randrange(1, 30_000))
        return "reading"
    finally:
        writer.transport.abort()


def held() -> tuple[int, int]:
    """Tasks and open files of this process."""
    return len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd"))


@pytest.mark.engine
def test_a_hundred_hang_ups_leave_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """At seeded random points of requests of every kind: utterances, connections, tasks and open files are those of
    the start, no fault is logged, and the next request is spoken."""
    draw = random.Random(11)

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.02, hop_s=0.2))
        async with served(engine) as server:
            kinds = requests()
            # The decoder process and the worker threads are started by the first who need them, and stay.
            await spoken(server.url, text="a", prompt_audio=base64_of(sound_file("wav-16", sweep(0.5))))
            await eventually(lambda: not server.app.connections)
            tasks, files = held()
            where = []
            for first in range(0, HANG_UPS, AT_ONCE):
                coming = (hang_up(server, kinds[(first + i) % len(kinds)], draw) for i in range(AT_ONCE))
                where += await asyncio.gather(*coming)
            await eventually(lambda: engine.live == 0 and not server.app.connections)
            await eventually(lambda: held()[0] <= tasks and held()[1] <= files)
            assert len(where) == HANG_UPS and set(where) == {"sending", "waiting", "reading"}
            assert len(pcm_of(file_of(await spoken(server.url, text=TEXT)))) == 2 * SAMPLES

    asyncio.run(scenario())
    assert [r.getMessage() for r in caplog.records if r.levelname in ("ERROR", "CRITICAL")] == []


@pytest.mark.parametrize("hop_s", [0.5, 0.02])
@pytest.mark.parametrize("how", ["file", "stream", "socket"])
def test_a_hang_up_is_noticed_while_sound_comes(how: str, hop_s: float) -> None:
    """The work ends long before the text does, however fast sound comes, also where none is sent before the end."""
    fields = {"text": " ".join([LONG] * 20), "class": "batch"}  # half a minute of work
    request = {
        "file": post("/v1/tts", **fields),
        "stream": post("/v1/tts/stream", **fields),
        "socket": socket_request(**fields),
    }[how]

    async def scenario() -> None:
        engine = NotingEngine(FakeOptions(realtime_factor=0.1, hop_s=hop_s))
        async with served(engine) as server:
            _, writer = await asyncio.open_connection(*server.runner.addresses[0])
            writer.write(request)
            await eventually(lambda: engine.live == 1)
            writer.transport.abort()
            await eventually(lambda: engine.live == 0 and not server.app.connections, timeout_s=2.0)
            assert len(engine.requests) == 1

    asyncio.run(scenario())


@pytest.mark.engine
def test_others_do_not_notice_a_hang_up() -> None:
    """Whoever speaks beside those who leave hears all of it."""

    async def scenario() -> None:
        async with served(FakeEngine(FakeOptions(realtime_factor=0.1))) as server:
            beside = asyncio.create_task(spoken(server.url, text=TEXT * 4))
            draw = random.Random(3)
            await asyncio.gather(*(hang_up(server, request, draw) for request in requests()))
            assert len(pcm_of(file_of(await beside))) == 4 * 2 * SAMPLES

    asyncio.run(scenario())
