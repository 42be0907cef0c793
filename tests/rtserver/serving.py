"""The real application on a real port, with the shipped tone engine and a reader that cuts at spaces."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from aiohttp import web

from cosyvoice.config import ModelConfig
from cosyvoice.models import NANO
from rtserver.application import DIALECTS, Routes, application
from rtserver.config import ServerConfig
from rtserver.engine.api import Engine
from rtserver.engine.fake import FakeEngine, FakeOptions
from rtserver.front.app import App
from rtserver.http.connections import Runner
from rtserver.ipc.engine import Failed
from rtserver.ipc.reading import NotAsWritten, OpenText, Read, Segment
from rtserver.ipc.tracing import TraceParts
from rtserver.processes.supervisor import ProcessHealth

UNREADABLE = "\ufffe"  # a text with this makes the reader fail, as a crash would

OnRead = Callable[[Read | Failed], None]


async def eventually(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    """Waits until it holds; fails after `timeout_s`."""
    for _ in range(int(timeout_s * 100)):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the condition never held")


UNSPOKEN = "\N{GRINNING FACE}"  # a word of these is left out


class WordText:
    """One utterance's text: a word is certain when a space follows."""

    def __init__(self, utterance: str, on_read: OnRead) -> None:
        self._utterance = utterance
        self._on_read: OnRead | None = on_read
        self._pending = ""
        self._offset = 0
        self._boundaries = 0

    def write(self, text: str) -> None:
        self._pending += text
        whole, space, rest = self._pending.rpartition(" ")
        self._pending = rest
        self._answer(whole + space)

    def flush(self) -> None:
        text, self._pending = self._pending, ""
        self._boundaries += 1
        self._answer(text)

    def end(self) -> None:
        self.flush()

    def commit(self) -> None:
        self._boundaries += 1
        self._answer("")

    offer = commit

    def drop(self) -> None:
        self._on_read = None

    def _answer(self, text: str) -> None:
        segments, unspoken = [], []
        at = self._offset
        for word in text.split(" "):
            if not word.strip(UNSPOKEN):
                unspoken += [NotAsWritten(at, word)] if word else []
            else:
                segments.append(Segment([7] * len(word), 0, word.endswith("."), at, at + len(word), word))
            at += len(word) + 1
        self._offset += len(text)
        read: Read | Failed = Read(self._utterance, segments, self._boundaries, unspoken)
        if UNREADABLE in text:
            read = Failed(self._utterance, "internal", "the reader failed")
        asyncio.get_running_loop().call_soon(self._deliver, read)

    def _deliver(self, read: Read | Failed) -> None:
        if self._on_read is not None:
            self._on_read(read)


class WordReader:
    """Opens WordTexts."""

    ready = True
    processes: Mapping[str, ProcessHealth] = {}

    @property
    def traces(self) -> TraceParts:
        return {}

    def open(self, opening: OpenText, on_read: OnRead) -> WordText:
        return WordText(opening.utterance, on_read)


@dataclasses.dataclass
class Served:
    """A running application."""

    url: str
    app: App
    runner: web.AppRunner
    engine: Engine

    @property
    def requests(self) -> int:
        """How many requests came so far. A socket is one."""
        assert self.runner.server is not None
        return self.runner.server.requests_count

    def start(self) -> None:
        """Engine and reader are there: the server can speak."""
        self.app.provide(self.engine, WordReader())


@contextlib.asynccontextmanager
async def served(
    engine: Engine | None = None,
    *,
    started: bool = True,
    dialects: Mapping[str, Routes] = DIALECTS,
    most_connections: int | None = None,
    port: int = 0,
    **settings: Any,
) -> AsyncIterator[Served]:
    """Serves these dialects with these settings; closes everything after the block. Without `started` it answers as a
    server that is still loading, until its `start` is called. most_connections: see `Runner`.
    port: 0 takes a free one."""
    config = ServerConfig(port=0, **settings)
    app = App(config, ModelConfig.load(NANO))
    engine = engine or FakeEngine(FakeOptions())
    runner = Runner(application(app, dialects), config, shutdown_s=2.0, most=most_connections)
    await runner.setup()
    try:
        await web.TCPSite(runner, config.host, port).start()
        server = Served(f"http://127.0.0.1:{runner.addresses[0][1]}", app, runner, engine)
        if started:
            server.start()
        yield server
    finally:
        app.tell_shutdown(deadline=True)
        await runner.cleanup()
        await app.tracer.close()
        await app.recordings.close()
        await engine.close()


@contextlib.asynccontextmanager
async def served_again(gone: Served, engine: Engine | None = None, **settings: Any) -> AsyncIterator[Served]:
    """A server in the place of one that has gone, after so long that its clients notice."""
    await asyncio.sleep(0.5)
    async with served(engine, port=int(gone.url.rpartition(":")[2]), **settings) as server:
        yield server
