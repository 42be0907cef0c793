"""Keeps one engine program running: starts it, notices its death, starts it again."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Protocol

from rtserver.engine.api import EngineError
from rtserver.ipc.framing import Message
from rtserver.ipc.process import Progress
from rtserver.processes.backoff import Backoff
from rtserver.processes.child import Child
from rtserver.processes.program import Program


class Owner(Protocol):
    """What a supervisor tells, on the event loop's thread. `name` is the program's."""

    def on_up(self, name: str, ready: Message) -> None:
        """The process is ready and takes messages now."""

    def on_down(self, name: str, reason: str) -> None:
        """The process died, ready or not. Called once for each process that was started."""

    def on_message(self, name: str, message: Message) -> None:
        """Any message but those that start or end a process."""

    def on_progress(self, progress: Progress) -> None:
        """What a starting process is doing, or that one died and will be started again."""


@dataclass(frozen=True)
class ProcessHealth:
    """deaths: processes lost so far; reason: of the last one."""

    ready: bool
    pid: int | None
    deaths: int
    reason: str


class Supervisor:
    """Runs `program` for ever once `begin` was called. A process is ready when it sends a message of type `ready`.
    One that dies before the very first is ready is not started again: `first_ready` gets its EngineError."""

    def __init__(
        self,
        program: Program,
        ready: type[Message],
        owner: Owner,
        *,
        verbose: bool = False,
        backoff: Backoff | None = None,
    ) -> None:
        self.name = program.name
        self.first_ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._program = program
        self._ready_type = ready
        self._owner = owner
        self._verbose = verbose
        self._backoff = backoff or Backoff()
        self._child: Child | None = None
        self._ready_at_s: float | None = None
        self._deaths = 0
        self._reason = ""
        self._task: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        """Whether a process is there that has said so and whose socket is open."""
        return self._ready_at_s is not None and self._child is not None and self._child.alive

    @property
    def health(self) -> ProcessHealth:
        return ProcessHealth(self.ready, None if self._child is None else self._child.pid, self._deaths, self._reason)

    @property
    def unsent_bytes(self) -> int:
        """Bytes that the process has not read yet."""
        return 0 if self._child is None else self._child.unsent_bytes

    def pin(self, option: str, value: str) -> None:
        """Gives the processes that are started from now on this option, over any earlier value of it."""
        self._program = replace(self._program, arguments=(*self._program.arguments, option, value))

    def begin(self) -> None:
        """Starts the program; does not wait."""
        self._task = asyncio.create_task(self._keep(), name=f"supervisor-{self.name}")

    def send(self, message: Message) -> None:
        """Writes one message to the process; without one it goes nowhere."""
        if self._child is not None:
            self._child.send(message)

    async def close(self) -> None:
        """Ends the process and its supervision."""
        self.first_ready.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            if not self._task.cancelled():
                self._task.result()  # a fault of ours shows

    # -- the life of processes --------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        while True:
            reason, ran_s = await self._live()
            self._deaths += 1
            self._reason = reason
            self._owner.on_down(self.name, reason)
            if not self.first_ready.done():
                self.first_ready.set_exception(EngineError(reason))
                return
            delay_s = self._backoff.delay_s(ran_s)
            self._owner.on_progress(Progress(self.name, f"{reason}; it starts again in {delay_s:g} s"))
            await asyncio.sleep(delay_s)

    async def _live(self) -> tuple[str, float]:
        """One process from start to death: the reason, and how long it was ready."""
        loop = asyncio.get_running_loop()
        try:
            self._child = await Child.start(self._program, self._receive, verbose=self._verbose)
        except OSError as error:
            return f"the {self.name} process cannot be started: {error}", 0.0
        try:
            reason = await self._child.died()
            return reason, 0.0 if self._ready_at_s is None else loop.time() - self._ready_at_s
        finally:
            patient = self._ready_at_s is not None
            self._ready_at_s = None
            await self._child.stop(patient=patient)
            self._child = None

    def _receive(self, message: Message) -> None:
        if isinstance(message, self._ready_type):
            self._ready_at_s = asyncio.get_running_loop().time()
            self._owner.on_up(self.name, message)
            if not self.first_ready.done():
                self.first_ready.set_result(None)
        elif isinstance(message, Progress):
            self._owner.on_progress(message)
        else:
            self._owner.on_message(self.name, message)
