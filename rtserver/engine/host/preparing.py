"""Voices, recordings and transcripts are prepared in a process of their own. It runs only while something is wanted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from rtserver.ipc.framing import Message
from rtserver.ipc.preparing import Dismiss, PreparationKey, Prepare, Prepared
from rtserver.processes.channel import MAX_UNSENT_BYTES
from rtserver.processes.child import Child, ChildError
from rtserver.processes.program import Program

_MARGIN_BYTES = 1 << 20


class Preparing:
    """The host's side of the preparer. Every request that is not dismissed gets one answer, through `answer`."""

    def __init__(self, program: Program, answer: Callable[[Prepared], None], *, verbose: bool = False) -> None:
        self._program = program
        self._answer = answer
        self._verbose = verbose
        self._wanted: dict[PreparationKey, Prepare] = {}
        self._sent: set[PreparationKey] = set()  # to the process, which has not answered yet
        self._child: Child | None = None
        self._served = asyncio.Event()  # nothing is wanted any more
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def wanted(self) -> int:
        """How many requests are not answered yet."""
        return len(self._wanted)

    def request(self, prepare: Prepare) -> None:
        """Begins a preparation; does not wait. After `close` nothing happens."""
        if self._closed:
            return
        self._wanted[prepare.key] = prepare
        self._served.clear()
        if self._child is not None:
            self._send()
        elif self._task is None:
            self._task = asyncio.create_task(self._run(), name="preparer")

    def dismiss(self, key: PreparationKey) -> None:
        """Nobody waits for this any more."""
        if self._wanted.pop(key, None) is None:
            return
        if self._child is not None and key in self._sent:
            self._child.send(Dismiss(key))
        if not self._wanted:
            self._served.set()

    async def close(self) -> None:
        """Ends the process."""
        self._closed = True
        self._wanted.clear()
        self._served.set()
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        self._sent.clear()
        try:
            self._child = child = await Child.start(self._program, self._receive, verbose=self._verbose)
        except ChildError as error:
            self._task = None
            self._give_up(str(error))
            return
        died = asyncio.create_task(child.died(), name="watch-preparer")
        served = asyncio.create_task(self._served.wait(), name="preparer-served")
        try:
            self._send()
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
            if self._wanted:  # requested while the process was stopped
                self._task = asyncio.create_task(self._run(), name="preparer")

    def _send(self) -> None:
        """Sends what is wanted and not sent yet, as far as there is room. The rest goes after the next answer."""
        child = self._child
        assert child is not None
        for key, prepare in self._wanted.items():
            size = 0 if prepare.recording is None else len(prepare.recording.pcm)
            unsent = child.unsent_bytes
            if key in self._sent or (size and unsent and unsent + size + _MARGIN_BYTES > MAX_UNSENT_BYTES):
                continue
            self._sent.add(key)
            child.send(prepare)

    def _receive(self, message: Message) -> None:
        if not isinstance(message, Prepared | Dismiss):
            return
        self._sent.discard(message.key)
        if isinstance(message, Prepared) and self._wanted.pop(message.key, None) is not None:
            self._answer(message)
        if not self._wanted:
            self._served.set()
        elif self._child is not None:
            self._send()

    def _give_up(self, reason: str) -> None:
        wanted = list(self._wanted)
        self._wanted.clear()
        for key in wanted:
            self._answer(Prepared(key, "internal", f"{_subject(key)}: {reason}"))


def _subject(key: PreparationKey) -> str:
    """What an error is about, in a client's terms."""
    fields = {"recording": "prompt_audio", "source": "source_audio", "transcript": "prompt_text"}
    return fields.get(key.kind, f"voice {key.what}")
