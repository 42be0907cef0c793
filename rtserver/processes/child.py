"""One run of a program, from start to death: its process, its output and this end of the socket to it.

Every child process of the server is a Child. Its users differ only in when they start and stop one: `Supervisor` keeps
one alive, `Preparing` has one while something is to be prepared, `DecodeWorkers` has some while files are uploaded.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rtserver.ipc.message import Message
from rtserver.ipc.process import AskPulse, Fatal, Progress, Pulse, Shutdown
from rtserver.processes.channel import Channel
from rtserver.processes.environment import child_environment
from rtserver.processes.output import Output
from rtserver.processes.program import Program
from rtserver.processes.vitals import look_at
from rtserver.processes.watch import Watch, WatchLimits

STOP_GRACE_S = 10.0
# When a process dies, its end and the end of its socket are noticed at different times, at most this much apart.
_DEATH_GRACE_S = 1.0


class ChildError(RuntimeError):
    """A process cannot be started, or has ended before it was ready."""


class Child:
    """Made by `start`. Whoever starts it must `stop` it, also after its death: that frees what it holds here.

    A process that hangs is killed (`watch.py`). One that does not talk in messages gives no pulse: it is killed only
    when a signal has stopped it, and its user sets time limits.
    """

    def __init__(self, name: str, process: asyncio.subprocess.Process, output: Output, sock: socket.socket) -> None:
        self.name = name
        # For bytes of the caller's own, without `on_message`. Does not block.
        self.socket = sock
        self._process = process
        self._output = output
        self._channel: Channel | None = None
        self._last_words: str | None = None
        self._is_unfit = False
        self._hung = False
        self._watching: asyncio.Task[None] | None = None

    @classmethod
    async def start(
        cls, program: Program, on_message: Callable[[Message], None] | None = None, *, verbose: bool = False
    ) -> Child:
        """Starts the process. Raises ChildError.

        on_message: gets every message of the process but Pulse, and Fatal, which `died` tells. None for a program that
        does not talk in messages: the caller uses `socket`.
        """
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            with theirs:
                child = cls(program.name, *await _spawn(program, theirs.fileno(), verbose), ours)
        except OSError as error:
            ours.close()
            raise ChildError(f"the {program.name} process cannot be started: {error}") from error
        except BaseException:
            ours.close()
            raise
        if program.nice:
            with contextlib.suppress(OSError):  # it may be dead already; `died` tells that
                os.setpriority(os.PRIO_PROCESS, child.pid, os.getpriority(os.PRIO_PROCESS, 0) + program.nice)
        if on_message is not None:
            try:
                watch = Watch(program.limits)
                child._channel = await Channel.connect(ours, lambda message: child._receive(message, on_message, watch))
            except BaseException:
                await child.stop(patient=False)
                raise
        else:
            watch = Watch(replace(program.limits, start_s=math.inf))
        child._watching = asyncio.create_task(child._watch(watch, program.limits), name=f"watch-{program.name}")
        return child

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether messages can be exchanged: False as soon as the socket is gone."""
        return self._channel is not None and not self._channel.lost.done()

    @property
    def hung(self) -> bool:
        """Whether it was killed because it hung."""
        return self._hung

    @property
    def is_unfit(self) -> bool:
        """Whether it has said that it cannot start or go on (Fatal)."""
        return self._is_unfit

    @property
    def unsent_bytes(self) -> int:
        """Bytes that the process has not read yet."""
        return 0 if self._channel is None else self._channel.unsent_bytes

    def send(self, message: Message) -> None:
        """Writes one message. To a dead process nothing is sent."""
        if self._channel is not None:
            self._channel.send(message)

    async def died(self) -> str:
        """Waits for the end of the process or of its socket, and kills the process if only the socket has ended.

        Describes the death: in the process's own words (Fatal) if it sent some, else by how it ended and what it
        printed last.
        """
        assert self._channel is not None, "expected a child that talks in messages"
        lost = self._channel.lost
        exited = asyncio.create_task(self._process.wait(), name=f"watch-{self.name}")
        ends: list[asyncio.Future[Any]] = [lost, exited]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            # A dead process may have left messages in the socket. One that closed its socket may print something yet.
            await asyncio.wait(ends, timeout=_DEATH_GRACE_S, return_when=asyncio.ALL_COMPLETED)
            why = ""
            if not exited.done():
                why = f" ({lost.result()})"
                self.kill()
            self._channel.abort()
            code = await exited
            await self._output.settle()
        finally:
            exited.cancel()
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit status {code}"
        return self._last_words or f"the {self.name} process {how}{why}{self._output.last_lines}"

    def kill(self) -> None:
        """Ends the process at once, if it still runs."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def stop(self, *, patient: bool) -> None:
        """Kills the process. A patient stop first asks it to end by itself. A stop that is cancelled kills it."""
        if self._watching is not None:
            self._watching.cancel()
        self._hang_up(ask=patient)
        try:
            if patient:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._process.wait(), STOP_GRACE_S)
            self.kill()
            await self._process.wait()
            await self._output.settle()
        finally:
            self.kill()
            await self._output.close()

    async def _watch(self, watch: Watch, limits: WatchLimits) -> None:
        """Kills the process when it hangs. Then it is like one that died."""
        while True:
            await asyncio.sleep(limits.interval_s)
            reason = watch.check(lambda: look_at(self.pid))
            if reason is not None:
                self._hung = True
                self._last_words = f"the {self.name} process hung and was killed: {reason}"
                self.kill()
                return
            self.send(AskPulse(watch.number))

    def _receive(self, message: Message, on_message: Callable[[Message], None], watch: Watch) -> None:
        if isinstance(message, Pulse):
            watch.take(message)
        elif isinstance(message, Fatal):
            self._is_unfit = True
            self._last_words = f"the {message.part} process: {message.message}"
        else:
            if isinstance(message, Progress):
                watch.progress()
            on_message(message)

    def _hang_up(self, *, ask: bool) -> None:
        """Closes the socket, after a Shutdown if the process is asked to end."""
        if self._channel is None:
            self.socket.close()
        elif ask:
            self._channel.send(Shutdown())
            self._channel.close()
        else:
            self._channel.abort()


async def _spawn(program: Program, fd: int, verbose: bool) -> tuple[asyncio.subprocess.Process, Output]:
    """The running process, which inherits the socket `fd`, and its output. Raises OSError."""
    output, write_fd = await Output.open(program.name, verbose=verbose)
    try:
        process = await asyncio.create_subprocess_exec(
            *program.command(fd),
            env=child_environment(os.environ, program.threads),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=write_fd,
            stderr=asyncio.subprocess.STDOUT,
            pass_fds=[fd],
        )
    except BaseException:
        await output.close()
        raise
    finally:
        os.close(write_fd)
    return process, output
