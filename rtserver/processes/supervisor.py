"""Keeps one program running: starts it, notices its death, starts it again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from rtserver.ipc.message import Message
from rtserver.ipc.process import Progress
from rtserver.messages.incidents import report
from rtserver.processes.child import Child, ChildError
from rtserver.processes.program import Program

_LOG = logging.getLogger(__name__)


class Owner(Protocol):
    """What a supervisor tells, on the event loop's thread. `name` is the program's."""

    def on_up(self, name: str, ready: Message) -> None:
        """The process is ready and takes messages now."""

    def on_down(self, name: str, incident: str) -> None:
        """The process died, ready or not, and another will be started. `incident` is the id under which the log tells
        how it died."""

    def on_message(self, name: str, message: Message) -> None:
        """Any message except those that start or end a process."""

    def on_progress(self, progress: Progress) -> None:
        """What a starting process is doing, or that one died and will be started again."""


@dataclass(frozen=True)
class ProcessHealth:
    """What is known of a supervised process."""

    ready: bool
    pid: int | None
    # Processes lost so far, and the reason of the last loss.
    deaths: int
    reason: str


@dataclass
class Backoff:
    """How long to wait before the next start: `first_s`, then twice as long after each death, at most `max_s`."""

    first_s: float = 0.5
    max_s: float = 30.0
    # After a run of this length the waits begin with `first_s` again.
    healthy_s: float = 60.0
    _next_s: float = field(init=False, default=0.0)

    def delay_s(self, ran_s: float) -> float:
        """The wait after a run that was ready for `ran_s` seconds (0: never ready)."""
        if self._next_s == 0.0 or ran_s >= self.healthy_s:
            self._next_s = self.first_s
        delay_s = self._next_s
        self._next_s = min(2 * delay_s, self.max_s)
        return delay_s


class Supervisor:
    """Runs a program from `begin` to `close`.

    A process is ready when it sends a message of the type `ready`. If the very first process dies before that, no other
    is started: `first_ready` gets a ChildError.

    program: called before every start, so that a new process gets the options that hold now.
    """

    def __init__(
        self,
        program: Callable[[], Program],
        ready: type[Message],
        owner: Owner,
        *,
        verbose: bool = False,
        backoff: Backoff | None = None,
    ) -> None:
        self.name = program().name
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
        """Whether there is a process that has said that it is ready, and its socket is open."""
        return self._ready_at_s is not None and self._child is not None and self._child.alive

    @property
    def health(self) -> ProcessHealth:
        return ProcessHealth(self.ready, None if self._child is None else self._child.pid, self._deaths, self._reason)

    @property
    def unsent_bytes(self) -> int:
        """Bytes that the process has not read yet."""
        return 0 if self._child is None else self._child.unsent_bytes

    def begin(self) -> None:
        """Starts the program; does not wait."""
        self._task = asyncio.create_task(self._keep(), name=f"supervisor-{self.name}")

    def send(self, message: Message) -> None:
        """Writes one message to the process. Without a process it is dropped."""
        if self._child is not None:
            self._child.send(message)

    async def close(self) -> None:
        """Ends the process and its supervision."""
        self.first_ready.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            if not self._task.cancelled():
                self._task.result()  # raises an error of the owner's callbacks

    # -- the life of processes --------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        while True:
            reason, ran_s = await self._live()
            self._deaths += 1
            self._reason = reason
            if not self.first_ready.done():
                self.first_ready.set_exception(ChildError(reason))
                return
            incident = report(_LOG, reason)
            self._owner.on_down(self.name, incident)
            delay_s = self._backoff.delay_s(ran_s)
            self._owner.on_progress(Progress(self.name, f"lost ({incident}); it starts again in {delay_s:g} s"))
            await asyncio.sleep(delay_s)

    async def _live(self) -> tuple[str, float]:
        """One process from start to death: the reason, and how long it was ready."""
        loop = asyncio.get_running_loop()
        try:
            self._child = await Child.start(self._program(), self._receive, verbose=self._verbose)
        except ChildError as error:
            return str(error), 0.0
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
