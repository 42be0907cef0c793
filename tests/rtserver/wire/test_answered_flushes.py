"""Whatever goes wrong with a turn, its flush is answered: some clients read no error, and wait for that alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from rtserver.engine.fake import FakeEngine, FakeOptions
from rtserver.wire import turns
from tests.rtserver.serving import UNREADABLE, Served, eventually, served
from tests.rtserver.wire.test_deepgram_aura import AURA
from tests.rtserver.wire.tts_client import tts_client

FLUX = "/v2/speak?model=flux-alexis-en&encoding=linear16&sample_rate=24000"
SPEAKS = "abcdefgh " * 10
LATER = "ijklmnop " * 10

Message = dict[str, Any]


class Protocol:
    """One of the sockets with turns: how text is sent, how a turn ends, and what answers its end."""

    def __init__(
        self, path: str, text: Callable[[str], Message], flush: Message, answer: str, first: Message | None = None
    ) -> None:
        self.path, self.text, self.flush, self.answer, self.first = path, text, flush, answer, first


PROTOCOLS = {
    "aura": Protocol(AURA, lambda text: {"type": "Speak", "text": text}, {"type": "Flush"}, "Flushed"),
    "flux": Protocol(FLUX, lambda text: {"type": "Speak", "text": text}, {"type": "Flush"}, "SpeechMetadata"),
    "livekit": Protocol(
        "/tts", lambda text: {"type": "input_transcript", "transcript": text}, {"type": "session.flush"}, "done"
    ),
    "vllm_omni": Protocol(
        "/v1/audio/speech/stream",
        lambda text: {"type": "input.text", "text": text},
        {"type": "input.done"},
        "session.done",
        {"type": "session.config"},
    ),
}


async def kinds_until(ws: aiohttp.ClientWebSocketResponse, kind: str) -> list[str]:
    """The kinds of the messages up to the next one of this kind."""
    kinds: list[str] = []
    while kind not in kinds:
        frame = await ws.receive(10)
        assert frame.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY), f"closed after {kinds}"
        if frame.type is aiohttp.WSMsgType.TEXT:
            kinds.append(json.loads(frame.data)["type"])
    return kinds


def slow() -> FakeEngine:
    return FakeEngine(FakeOptions(realtime_factor=0.03))


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_turn_without_room_to_wait_is_over(name: str) -> None:
    """Its flush gets its answer, in its turn; what it held is free, and the next turn is spoken."""
    spoken = PROTOCOLS[name]

    async def scenario() -> None:
        async with (
            served(slow(), max_text_chars=150) as server,
            aiohttp.ClientSession() as http,
            http.ws_connect(server.url + spoken.path) as ws,
        ):
            for message in (*([spoken.first] if spoken.first else []), spoken.text(SPEAKS), spoken.flush):
                await ws.send_json(message)
            await eventually(lambda: server.app.accounts.held["contexts"] == 1)
            for message in (spoken.text(LATER), spoken.text(LATER), spoken.flush):
                await ws.send_json(message)
            told = [kind.lower() for _ in range(2) for kind in await kinds_until(ws, spoken.answer)]
            assert "error" in told
            await eventually(lambda: server.app.accounts.held["text_chars"] == 0)
            for message in (spoken.text(LATER), spoken.flush):
                await ws.send_json(message)
            assert "error" not in [kind.lower() for kind in await kinds_until(ws, spoken.answer)]

    asyncio.run(scenario())


async def send(ws: aiohttp.ClientWebSocketResponse, *texts: object) -> None:
    for text in texts:
        await ws.send_json({"type": "Speak", "text": text})


async def bad_message(ws: aiohttp.ClientWebSocketResponse, _server: Served) -> None:
    await send(ws, "one ", 5)


async def control_character(ws: aiohttp.ClientWebSocketResponse, _server: Served) -> None:
    await send(ws, "one ", "\0")


async def too_big(ws: aiohttp.ClientWebSocketResponse, _server: Served) -> None:
    await send(ws, "one ", "x" * 3000)


async def too_long(ws: aiohttp.ClientWebSocketResponse, _server: Served) -> None:
    await send(ws, *["one " * 20] * 10)


async def too_long_to_wait(ws: aiohttp.ClientWebSocketResponse, _server: Served) -> None:
    await send(ws, "one ")
    await ws.send_json({"type": "Flush"})
    await kinds_until(ws, "Flushed")
    await send(ws, "1 " * 60)


async def unreadable(ws: aiohttp.ClientWebSocketResponse, _server: Served) -> None:
    await send(ws, "one ", f"{UNREADABLE} ")


async def engine_lost(ws: aiohttp.ClientWebSocketResponse, server: Served) -> None:
    await server.engine.close()
    await send(ws, "one ")


async def silent_for_long(ws: aiohttp.ClientWebSocketResponse, _server: Served) -> None:
    await send(ws, "one ")
    await kinds_until(ws, "Error")


async def full(ws: aiohttp.ClientWebSocketResponse, server: Served) -> None:
    async with tts_client(server) as other:
        await other.send(text="word " * 100)
        await eventually(lambda: server.app.accounts.held["contexts"] == 1)
        await send(ws, "one ")
        await kinds_until(ws, "Error")


Fault = Callable[[aiohttp.ClientWebSocketResponse, Served], Any]
FAULTS: list[tuple[Fault, dict[str, Any]]] = [
    (bad_message, {}),
    (control_character, {}),
    (too_big, {"message_bytes": 2000}),
    (too_long, {"text_chars": 100}),
    (too_long_to_wait, {}),
    (unreadable, {}),
    (engine_lost, {}),
    (silent_for_long, {"turn_idle_s": 0.2}),
    (full, {"max_contexts": 1}),
    (full, {"max_streams": 1}),
    (full, {"max_text_chars": 502}),
]


@pytest.mark.parametrize(("fault", "settings"), FAULTS)
def test_no_error_lets_a_client_of_aura_wait(
    fault: Fault, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """pipecat's service knows no Error. It gets its Flushed, or the socket would have to close."""
    monkeypatch.setattr(turns, "MOST_WAITING_CHARS", 100)

    async def scenario() -> None:
        async with (
            served(slow(), **settings) as server,
            aiohttp.ClientSession() as http,
            http.ws_connect(server.url + AURA) as ws,
        ):
            await fault(ws, server)
            await ws.send_json({"type": "Flush"})
            await kinds_until(ws, "Flushed")

    asyncio.run(scenario())
