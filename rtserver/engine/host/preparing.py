"""Voices, recordings and transcripts are prepared in a process of their own. It runs only while something is wanted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from rtserver.ipc.message import Message
from rtserver.ipc.preparing import Dismiss, PreparationKey, Prepare, Prepared
from rtserver.processes.channel import MAX_UNSENT_BYTES
from rtserver.processes.child import Child, ChildError
from rtserver.processes.program import Program

_MARGIN_BYTES = 1 << 20


# What ended a process is not prepared again before this many seconds.
_REFUSED_S = 300.0


class Preparing:
    """The host's side of the preparer. Every request that is not dismissed gets one answer, through `answer`.

    The requests that a process had when it died are sent to the next one, one at a time: so one that ends the process
    fails alone.
    """

    def __init__(
        self,
        program: Program,
        answer: Callable[[Prepared], None],
        *,
        verbose: bool = False,
        stalled_s: float = 120.0,
    ) -> None:
        """stalled_s: how long a preparation may take, and the length of the recording besides."""
        self._program = program
        self._answer = answer
        self._verbose = verbose
        self._stalled_s = stalled_s
        self._suspects: list[PreparationKey] = []
        # What ended a process, and until when it is refused.
        self._refused: dict[PreparationKey, float] = {}
        self._deadlines: dict[PreparationKey, asyncio.TimerHandle] = {}
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
        loop = asyncio.get_running_loop()
        key, now_s = prepare.key, loop.time()
        self._wanted[key] = prepare
        self._refused = {key: until_s for key, until_s in self._refused.items() if until_s > now_s}
        if key in self._refused:
            text = f"the preparer was lost over it less than {_REFUSED_S:g} s ago: send another one, or this one later"
            loop.call_soon(self._fail, key, "engine_lost", text)
            return
        if key not in self._deadlines:
            recording_s = 0.0 if prepare.recording is None else prepare.recording.seconds
            self._deadlines[key] = loop.call_later(self._stalled_s + recording_s, self._stall, key)
        self._served.clear()
        if self._child is not None:
            self._send()
        elif self._task is None:
            self._task = asyncio.create_task(self._run(), name="preparer")

    def dismiss(self, key: PreparationKey) -> None:
        """Nobody waits for this any more."""
        if self._wanted.pop(key, None) is not None:
            self._drop(key)

    def _drop(self, key: PreparationKey) -> None:
        """The process lets go of something that is not wanted any more."""
        self._over(key)
        if self._child is not None and key in self._sent:
            self._child.send(Dismiss(key))
        if not self._wanted:
            self._served.set()

    def _over(self, key: PreparationKey) -> None:
        if (deadline := self._deadlines.pop(key, None)) is not None:
            deadline.cancel()
        if key in self._suspects:
            self._suspects.remove(key)

    def _stall(self, key: PreparationKey) -> None:
        self._fail(key, "engine_lost", f"it was not prepared within {self._stalled_s:g} s: send it again later")

    def _fail(self, key: PreparationKey, code: str, reason: str) -> None:
        if self._wanted.pop(key, None) is not None:
            self._drop(key)
            self._answer(Prepared(key, code, f"{_subject(key)}: {reason}"))

    async def close(self) -> None:
        """Ends the process."""
        self._closed = True
        for key in list(self._wanted):
            self._over(key)
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
                self._after_death(died.result(), child)
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
        suspects = self._suspects[:1]
        for key, prepare in self._wanted.items():
            size = 0 if prepare.recording is None else len(prepare.recording.pcm)
            unsent = child.unsent_bytes
            if key in self._sent or (suspects and key not in suspects):
                continue
            if size and unsent and unsent + size + _MARGIN_BYTES > MAX_UNSENT_BYTES:
                continue
            self._sent.add(key)
            child.send(prepare)

    def _receive(self, message: Message) -> None:
        if not isinstance(message, Prepared | Dismiss):
            return
        self._sent.discard(message.key)
        if isinstance(message, Prepared) and self._wanted.pop(message.key, None) is not None:
            self._over(message.key)
            self._answer(message)
        if not self._wanted:
            self._served.set()
        elif self._child is not None:
            self._send()

    def _after_death(self, reason: str, child: Child) -> None:
        """Another process gets what is wanted. What ended this one is not."""
        sent = [key for key in self._wanted if key in self._sent]
        if child.is_unfit:  # so would be the next one
            self._give_up(reason)
        elif len(sent) == 1:
            self._refused[sent[0]] = asyncio.get_running_loop().time() + _REFUSED_S
            self._fail(sent[0], "internal", reason)
        else:
            self._suspects = sent

    def _give_up(self, reason: str) -> None:
        for key in list(self._wanted):
            self._fail(key, "internal", reason)


def _subject(key: PreparationKey) -> str:
    """What an error is about, in a client's terms."""
    fields = {"recording": "prompt_audio", "source": "source_audio", "transcript": "prompt_text"}
    return fields.get(key.kind, f"voice {key.what}")
