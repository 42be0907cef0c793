"""Sound after the end of its context."""

from __future__ import annotations

import asyncio
from typing import Any

import msgpack
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from bench.load.calls.late_frames import counting
from rtclient import connect

READY = {"type": "ready", "protocol": 1, "server": "s", "model": "m", "sample_rate": 24000, "voices": 1}
STARTED = {"type": "started", "context": "c1", "stream": 1, "voice": "v", "sample_rate": 24000, "seed": 1}
AUDIO = {"type": "audio", "context": "c1", "seq": 0, "start_ms": 0, "data": bytes(960)}
CANCELLED = {"type": "cancelled", "context": "c1", "sent_ms": 20, "heard_ms": 20}


async def unruly(ws: ServerConnection) -> None:
    """Sends two frames of a context that it has just called cancelled."""

    async def say(*messages: dict[str, Any]) -> None:
        for message in messages:
            await ws.send(msgpack.packb(message))

    await say(READY)
    async for data in ws:
        message = msgpack.unpackb(data)
        if message["type"] == "start":
            await say(STARTED, AUDIO)
        elif message["type"] == "cancel":
            await say(CANCELLED, AUDIO, AUDIO)
        elif message["type"] == "ping":
            await say({"type": "pong", "id": message["id"]})


def test_frames_after_cancelled_are_counted() -> None:
    """Those before are not."""

    async def scenario() -> None:
        packed = Subprotocol("rt.v1.msgpack")
        async with serve(unruly, "127.0.0.1", 0, subprotocols=[packed], compression=None) as server:
            port = server.sockets[0].getsockname()[1]
            async with connect(f"ws://127.0.0.1:{port}") as opened:
                session = counting(opened)
                speech = session.speak()
                async for _ in speech:
                    assert session.late_frames == 0
                    await speech.cancel()
                await session.ping()
                assert session.late_frames == 2

    asyncio.run(scenario())
