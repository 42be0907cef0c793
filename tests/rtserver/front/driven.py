"""A connection without a socket, with the tone engine and the reader that cuts at spaces."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from rtserver.engine.fake import FakeEngine, FakeOptions
from rtserver.front.connection import HOLD_ABOVE_BYTES, Connection
from rtserver.messages import wire
from rtserver.schedule.admission import AdmissionLimits
from rtserver.session.caller import Caller
from rtserver.session.limits import SessionLimits
from rtserver.session.outbox import Item
from rtserver.session.session import Session
from tests.rtserver.front.backends import an_account, backend_of
from tests.rtserver.serving import WordReader, eventually
from tests.rtserver.session.sessions import INFO, numbered_ids

LONG = "word " * 200  # 48 seconds of sound: several times what a socket may have waiting


class Driven:
    """A connection with its engine. `items`: those that were taken so far."""

    def __init__(
        self,
        engine: FakeEngine,
        reader: WordReader,
        limits: SessionLimits,
        clock: Callable[[], float],
        admission: AdmissionLimits | None,
    ) -> None:
        self.engine = engine
        self.available = (True, False)
        backend = backend_of(engine, reader, admission)
        session = Session(INFO, Caller(limits=limits), lambda: 7, numbered_ids(), backend.tracer.ring)
        self.connection = Connection(session, backend, an_account(), lambda: self.available, clock)
        self.items: list[Item] = []

    def start(self, context: str = "a", **fields: Any) -> None:
        self.connection.receive(wire.Start(context, **fields))

    async def next(self) -> Item:
        async with asyncio.timeout(10):
            self.items.append(await self.connection.next_item())
        return self.items[-1]

    async def until(self, *kinds: type[Item]) -> Item:
        """Takes items up to the first of these kinds."""
        while not isinstance(item := await self.next(), kinds):
            pass
        return item

    def sound(self, context: str = "a") -> bytes:
        """The sound of a context that was taken."""
        return b"".join(i.data for i in self.items if isinstance(i, wire.Audio) and i.context == context)

    async def until_held(self) -> None:
        """Waits until so much waits to be sent that the engine is told to stop."""
        await eventually(lambda: self.connection.waiting_bytes > HOLD_ABOVE_BYTES)


@asynccontextmanager
async def driven(
    engine: FakeEngine | None = None,
    reader: WordReader | None = None,
    limits: SessionLimits | None = None,
    clock: Callable[[], float] = time.monotonic,
    admission: AdmissionLimits | None = None,
) -> AsyncIterator[Driven]:
    """An open connection whose `ready` was taken. The default engine is as fast as it can be."""
    engine = engine or FakeEngine(FakeOptions(realtime_factor=0.0))
    found = Driven(engine, reader or WordReader(), limits or SessionLimits(), clock, admission)
    found.connection.opened()
    try:
        assert isinstance(await found.next(), wire.Ready)
        yield found
    finally:
        found.connection.close()
        await engine.close()


async def let_others_run() -> None:
    """Runs all tasks that can go on without waiting."""
    for _ in range(20):
        await asyncio.sleep(0)
