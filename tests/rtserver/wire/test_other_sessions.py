"""No session reaches into another one, whatever names it uses."""

from __future__ import annotations

import asyncio

import pytest

from rtserver.engine.fake import FakeEngine, FakeOptions
from tests.rtserver.http.http_client import TEXT
from tests.rtserver.serving import served
from tests.rtserver.wire.wire_client import wire_client

pytestmark = pytest.mark.engine


def test_names_of_another_session_are_unknown() -> None:
    """Its context's name, and the id of its utterance: the answer is that of any name. Its sound is whole."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.1))
        async with served(engine) as server, wire_client(server.url) as mine, wire_client(server.url) as other:
            await mine.send("start", context="mine", text=TEXT)
            started = await mine.until("started", "mine")
            for name in ("mine", started["id"], "nobody's"):
                await other.send("text", context=name, text="and this as well")
                refused = await other.until("error", name)
                assert refused["code"] == "unknown_context" and refused["id"] != started["id"]
                await other.send("cancel", context=name)
                await other.send("played", context=name, position_ms=9e9)
            await other.send("start", context="mine", text=TEXT, end=True)
            await other.until("done", "mine")
            await mine.send("end", context="mine")
            await mine.until("done", "mine")
            assert mine.heard["mine"].pcm and len(mine.heard["mine"].pcm) == len(other.heard["mine"].pcm)

    asyncio.run(scenario())
