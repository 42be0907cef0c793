"""What the tests of clients in frameworks share: a server that makes tones, and the same cases for every client."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from aiohttp import web

from rtserver.application import DIALECTS
from rtserver.engine.fake import FakeEngine, FakeOptions
from rtserver.front.app import App
from tests.clients_real.environment import environment
from tests.rtserver.http.http_client import SAMPLES, NotingEngine
from tests.rtserver.serving import Served, served, served_again
from tests.rtserver.wire.wire_client import wire_client

TURN_BYTES = 2 * SAMPLES
KEY = "right"


@contextlib.asynccontextmanager
async def tones(**settings: Any) -> AsyncIterator[Served]:
    """A server that makes tones, a little faster than they sound."""
    async with served(FakeEngine(FakeOptions(realtime_factor=0.3)), api_keys=[KEY], **settings) as server:
        yield server


@contextlib.asynccontextmanager
async def full() -> AsyncIterator[Served]:
    """A server whose only place is taken."""
    async with tones(max_streams=1) as server, wire_client(server.url, headers={"X-API-Key": KEY}) as other:
        await other.send("start", text="abcdefgh " * 200)
        await other.until("audio")
        yield server


async def told_over_a_restart(framework: str, told: Callable[[Served], Awaitable[Any]]) -> Any:
    """What a client tells that speaks, waits for a restart of the server (`server_restart.py`), and speaks again."""
    await asyncio.to_thread(environment, framework)  # it may have to be installed first
    waits = asyncio.Event()

    async def note(_request: web.Request) -> web.Response:
        waits.set()
        return web.Response()

    def routes(_app: App) -> list[web.RouteDef]:
        return [web.get("/waits", note)]

    async with served(NotingEngine(), api_keys=[KEY], dialects={**DIALECTS, "restart": routes}) as server:
        telling, waiting = asyncio.ensure_future(told(server)), asyncio.ensure_future(waits.wait())
        await asyncio.wait({telling, waiting}, return_when=asyncio.FIRST_COMPLETED)  # it tells too early if it failed
        waiting.cancel()
    async with served_again(server, NotingEngine(), api_keys=[KEY]):
        return await telling


# -- agents ---------------------------------------------------------------------------------------------------------

# The tone engine speaks 0.06 s a letter, and words follow each other without a pause.
LETTER_MS = 60
LONG_TEXT = " ".join(
    ["one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"] * 3
    + ["and that is all of it."]
)


def words_heard(text: str, played_ms: float) -> int:
    """How many words of the text have begun in so much of the tone engine's sound."""
    heard, at_ms = 0, 0.0
    for word in text.split():
        if at_ms >= played_ms:
            break
        heard += 1
        at_ms += LETTER_MS * len(word)
    return heard


def is_what_was_heard(said: str, played_ms: float, *, stalled_ms: float, late_ms: float = 0) -> bool:
    """Whether `said` is a beginning of LONG_TEXT, and ends with the word that was heard last, or one beside it.
    late_ms: so much later a client may note a word.
    stalled_ms: for so long the sound stood still because the machine had other work (0 on one that has time). A client
    may note a word so much earlier."""
    words = said.split()
    least, most = words_heard(LONG_TEXT, played_ms - late_ms) - 1, words_heard(LONG_TEXT, played_ms + stalled_ms) + 1
    return words == LONG_TEXT.split()[: len(words)] and least <= len(words) <= most
