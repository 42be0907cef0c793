"""Who takes sound, but too little of it, is dropped like one that takes nothing. How little is `Uptake`'s to say."""

from __future__ import annotations

import asyncio
import logging

import aiohttp
import pytest

from rtserver.engine.fake import FakeEngine, FakeOptions
from tests.rtserver.http.http_client import ask
from tests.rtserver.serving import eventually, served
from tests.rtserver.wire.wire_client import wire_client

LONG = "word " * 200


@pytest.fixture(autouse=True)
def windows_s(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Whatever is taken is too little from the third piece on. These are the windows that were asked for."""
    asked_s: list[float] = []

    class TooLittle:
        def __init__(self, window_s: float) -> None:
            asked_s.append(window_s)
            self.pieces = 0

        def took(self, size_bytes: int, now_s: float, *, all_taken: bool) -> bool:
            self.pieces += size_bytes > 0
            return self.pieces < 3

    monkeypatch.setattr("rtserver.wire.conversation.Uptake", TooLittle)
    monkeypatch.setattr("rtserver.http.streamed.Uptake", TooLittle)
    return asked_s


def slow() -> FakeEngine:
    return FakeEngine(FakeOptions(realtime_factor=0.05))


def test_a_stream_over_http_is_broken_off(windows_s: list[float]) -> None:
    """It is not whole, the work ends, and nothing is held."""

    async def scenario() -> None:
        engine = slow()
        async with served(engine, slow_reader_s=7.0) as server:
            with pytest.raises(aiohttp.ClientPayloadError):
                await ask(f"{server.url}/v1/tts/stream", json={"text": LONG})
            await eventually(lambda: engine.live == 0 and not server.app.accounts.holders)

    asyncio.run(scenario())
    assert windows_s == [7.0]


def test_a_socket_is_closed(windows_s: list[float], caplog: pytest.LogCaptureFixture) -> None:
    """With 1008. Sound that is encoded goes this way; the other is written at once, and none of it waits."""

    async def scenario() -> None:
        engine = slow()
        async with served(engine, slow_reader_s=7.0) as server, wire_client(server.url) as client:
            await client.send("start", context="a", text=LONG, end=True, format="mp3")
            while (message := await client.next())["type"] != "closed":
                pass
            assert message["code"] == 1008
            await eventually(lambda: engine.live == 0 and not server.app.accounts.holders)

    with caplog.at_level(logging.WARNING):
        asyncio.run(scenario())
    assert windows_s == [7.0] and "read nothing for too long" in caplog.text
