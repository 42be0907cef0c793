"""A real server with real processes, and listeners who soon run dry."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from rtserver.commands.fitting import local_options
from rtserver.commands.server import Server
from rtserver.config import ServerConfig
from rtserver.engine.card.memory_plan import MemoryPlan
from rtserver.engine.host.local import LocalEngine, LocalOptions
from tests.rtserver.wire.wire_client import WireClient, wire_client

# The smallest lead that a client may ask for. A longer delay is heard.
LEAD_S = 0.5
LONG = (
    "It rained all night, so the path was muddy. The children built a bridge out of paper and string. "
    "Our guests arrive on Saturday and stay for a week. Please wait a moment while I look for your account. "
)
PROGRAM = Path(__file__).with_name("late_acoustic.py")


class Explained(logging.Handler):
    """Keeps the log lines about listeners who ran dry."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def of(self, utterance: str) -> list[logging.LogRecord]:
        return [record for record in self.records if getattr(record, "utterance", None) == utterance]


@contextlib.asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Server]:
    """The server with the embedded voice; its acoustic process can be made late through `folder`."""
    config = ServerConfig(port=0, languages=["en"], admission=False, cache_dir=str(folder / "cache"))

    def options(config: ServerConfig, model: Path, plan: MemoryPlan | None) -> LocalOptions:
        return replace(local_options(config, model, plan), acoustic_program=(str(PROGRAM), str(folder)))

    async with Server.running(config, lambda progress: None, options) as server:
        yield server


class Listener:
    """One utterance whose listener has little sound ahead. `until_heard` returns when this much of it was sent."""

    def __init__(self, client: WireClient, started: dict[str, Any]) -> None:
        self.client = client
        self.utterance: str = started["id"]
        self.heard_ms = 0

    async def until_heard(self, ms: float) -> None:
        while self.heard_ms < ms:
            message = await self.client.next(30.0)
            assert message["type"] not in ("done", "error", "closed"), message
            if message["type"] == "audio":
                self.heard_ms = message["start_ms"]

    async def for_a_while(self, seconds: float) -> None:
        """Takes the messages that come."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.until_heard(float("inf"))


@contextlib.asynccontextmanager
async def listener(url: str, text: str = LONG, *, end: bool = True, **fields: Any) -> AsyncIterator[Listener]:
    """Speaks a text to a listener who hears it while it is made."""
    async with wire_client(url) as client:
        await client.send("start", language="en", max_lead_s=LEAD_S, text=text, end=end, marks=False, **fields)
        yield Listener(client, await client.until("started"))


@contextlib.contextmanager
def _stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def pid_of(server: Server, part: str) -> int:
    """The process id of the process with this name."""
    backend = server.app.backend
    assert backend is not None
    pid = backend.processes[part].pid
    assert pid is not None
    return pid


async def stop_for(server: Server, part: str, seconds: float) -> None:
    """Stops the process for this time."""
    with _stopped(pid_of(server, part)):
        await asyncio.sleep(seconds)


def engine_of(server: Server) -> LocalEngine:
    engine = server.app.engine
    assert isinstance(engine, LocalEngine)
    return engine
