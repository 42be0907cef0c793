"""One run of an engine program: its process and the channel to it, from start to death."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable

from rtserver.ipc.framing import Message
from rtserver.ipc.process import Fatal, Shutdown
from rtserver.processes.channel import Channel
from rtserver.processes.program import EngineProcess, Program

# Between the end of the socket and the end of the process, or the other way round, when a process dies.
_DEATH_GRACE_S = 1.0


class Child:
    """Made by `start`. Whoever starts it stops it, also when it is dead: that gives back what it held here."""

    def __init__(self, process: EngineProcess) -> None:
        self._process = process
        self._channel: Channel | None = None
        self._last_words: str | None = None

    @classmethod
    async def start(cls, program: Program, on_message: Callable[[Message], None], *, verbose: bool) -> Child:
        """Starts the process; its messages (but Fatal, which `died` tells) come through `on_message`. Raises
        OSError."""
        ours, theirs = socket.socketpair()
        try:
            child = cls(await EngineProcess.start(program, theirs, verbose=verbose))
        except BaseException:
            ours.close()
            raise

        def receive(message: Message) -> None:
            if isinstance(message, Fatal):
                child._last_words = f"the {message.part} process: {message.message}"
            else:
                on_message(message)

        try:
            child._channel = await Channel.connect(ours, receive)
        except BaseException:
            ours.close()
            await child._process.stop(patient=False)
            raise
        return child

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        """False as soon as its socket is gone."""
        return self._channel is not None and not self._channel.lost.done()

    @property
    def unsent_bytes(self) -> int:
        """Bytes that the process has not read yet."""
        return 0 if self._channel is None else self._channel.unsent_bytes

    def send(self, message: Message) -> None:
        """Writes one message; a dead process is not an error here."""
        if self._channel is not None:
            self._channel.send(message)

    async def died(self) -> str:
        """Waits for the end of the process or of its socket, whichever comes first, makes sure of the other, and
        describes the end: by the process's own words when it left some."""
        assert self._channel is not None
        lost = self._channel.lost
        exited = asyncio.create_task(self._process.wait(), name=f"watch-{self._process.name}")
        try:
            await asyncio.wait([lost, exited], return_when=asyncio.FIRST_COMPLETED)
            # The one that is dead may have left messages, the one that hung up may have something to print.
            await asyncio.wait([lost, exited], timeout=_DEATH_GRACE_S, return_when=asyncio.ALL_COMPLETED)
            why = ""
            if not exited.done():
                why = f" ({lost.result()})"
                self._process.kill()
            self._channel.abort()
            how = await exited
        finally:
            exited.cancel()
        return self._last_words or f"the {self._process.name} process {how}{why}{self._process.last_output}"

    async def stop(self, *, patient: bool) -> None:
        """Ends the process, patiently after asking it to end by itself."""
        if self._channel is not None:
            if patient:
                self._channel.send(Shutdown())
                self._channel.close()
            else:
                self._channel.abort()
        with contextlib.suppress(ProcessLookupError):
            await self._process.stop(patient=patient)
