"""Voices are prepared in a process of their own, at low priority, started when one is wanted and ended afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from rtserver.engine.child import Child
from rtserver.engine.process import Program
from rtserver.messages.engine import Message, Prepare, Prepared


class Preparing:
    """The front's side of the preparer. Every request is answered once, through `answer`."""

    def __init__(self, program: Program, answer: Callable[[Prepared], None], *, verbose: bool = False) -> None:
        self._program = program
        self._answer = answer
        self._verbose = verbose
        self._wanted: dict[str, Prepare] = {}
        self._child: Child | None = None
        self._served = asyncio.Event()  # nothing is wanted any more
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def request(self, prepare: Prepare) -> None:
        """Has a voice prepared; does not wait. When it is closed nothing happens."""
        if self._closed:
            return
        self._wanted[prepare.voice] = prepare
        self._served.clear()
        if self._child is not None:
            self._child.send(prepare)
        elif self._task is None:
            self._task = asyncio.create_task(self._run(), name="preparer")

    async def close(self) -> None:
        """Ends the process."""
        self._closed = True
        self._wanted.clear()
        self._served.set()
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            self._child = child = await Child.start(self._program, self._receive, verbose=self._verbose)
        except OSError as error:
            self._task = None
            self._give_up(f"the preparer process cannot be started: {error}")
            return
        died = asyncio.create_task(child.died(), name="watch-preparer")
        served = asyncio.create_task(self._served.wait(), name="preparer-served")
        try:
            for prepare in self._wanted.values():
                child.send(prepare)
            await asyncio.wait([died, served], return_when=asyncio.FIRST_COMPLETED)
            if died.done() and self._wanted:
                self._give_up(died.result())
        finally:
            self._child = None
            for task in (died, served):
                task.cancel()
            await asyncio.gather(died, served, return_exceptions=True)
            await child.stop(patient=False)
            self._task = None
            if self._wanted:  # asked for in the last moment
                self._task = asyncio.create_task(self._run(), name="preparer")

    def _receive(self, message: Message) -> None:
        if isinstance(message, Prepared) and self._wanted.pop(message.voice, None) is not None:
            self._answer(message)
            if not self._wanted:
                self._served.set()

    def _give_up(self, reason: str) -> None:
        wanted = list(self._wanted)
        self._wanted.clear()
        for voice in wanted:
            self._answer(Prepared(voice, "internal", f"voice {voice}: {reason}"))
