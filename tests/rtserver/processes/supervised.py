"""A supervisor of a small real program, and the events that it reports."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from rtserver.ipc.message import Message
from rtserver.ipc.process import Progress
from rtserver.ipc.talker import TalkerReady
from rtserver.processes.program import Program
from rtserver.processes.supervisor import Backoff, Supervisor
from tests.rtserver.processes.programs import is_there, open_files
from tests.rtserver.serving import eventually

READY = TalkerReady(100, 0.5)
SAY_READY = "port.send(TalkerReady(100, 0.5))\n"
# Says that it is ready, then sends back what comes until it is asked to end.
ECHO = SAY_READY + "while not isinstance(message := inbox.get(), Shutdown): port.send(message)\n"
SHORT_S = 0.01


class Told:
    """Records the events of a supervisor, in order."""

    def __init__(self) -> None:
        self.up: list[Message] = []
        self.down: list[str] = []
        self.messages: list[Message] = []
        self.progress: list[Progress] = []
        self.order: list[str] = []
        self.times_s: list[float] = []  # of ups and downs

    def on_up(self, name: str, ready: Message) -> None:
        self.up.append(ready)
        self.times_s.append(asyncio.get_running_loop().time())
        self.order.append(f"{name} up")

    def on_down(self, name: str, incident: str) -> None:
        self.down.append(incident)
        self.times_s.append(asyncio.get_running_loop().time())
        self.order.append(f"{name} down")

    def on_message(self, name: str, message: Message) -> None:
        self.messages.append(message)
        self.order.append(f"{name} message")

    def on_progress(self, progress: Progress) -> None:
        self.progress.append(progress)


@contextlib.asynccontextmanager
async def supervised(
    what: Program, *, first_s: float = SHORT_S, max_s: float = SHORT_S, verbose: bool = False
) -> AsyncIterator[tuple[Supervisor, Told]]:
    """A supervisor that has started. Fails if anything of it is left after the block."""
    before = open_files()
    told = Told()
    supervisor = Supervisor(lambda: what, TalkerReady, told, verbose=verbose, backoff=Backoff(first_s, max_s, 60.0))
    supervisor.begin()
    try:
        yield supervisor, told
    finally:
        pid = supervisor.health.pid
        await supervisor.close()
    assert pid is None or not is_there(pid)
    assert supervisor.health.pid is None and not supervisor.ready
    await eventually(lambda: open_files() == before)


async def ready(supervisor: Supervisor) -> None:
    """Waits until its program is ready for the first time."""
    await asyncio.wait_for(asyncio.shield(supervisor.first_ready), 20)


def pid_of(supervisor: Supervisor) -> int:
    pid = supervisor.health.pid
    assert pid is not None
    return pid
