"""The front's side of the reader process: text in, segments back by callback, across the process's deaths."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from rtserver.ipc.engine import Failed
from rtserver.ipc.message import Message
from rtserver.ipc.options import ReaderProcessOptions
from rtserver.ipc.process import OnProgress, Progress
from rtserver.ipc.reading import Boundary, Drop, OpenText, Read, ReaderReady, Write
from rtserver.ipc.tracing import Traced, TraceParts
from rtserver.messages.codec import MessageError
from rtserver.processes.program import Program
from rtserver.processes.refusals import Fingerprint, Refusals
from rtserver.processes.stalls import Stalls
from rtserver.processes.supervisor import ProcessHealth, Supervisor
from rtserver.processes.suspects import Suspects
from rtserver.processes.trace_questions import TraceQuestions
from rtserver.processes.watch import WatchLimits

OnRead = Callable[[Read | Failed], None]

# How long a suspect (`Suspects`) has its turn. The longest text is read in less.
_TURN_S = 2.0


class ClientText:
    """One utterance's text. It remembers all that the process was told (`said`): a new process is told all of it again,
    and answers all of it again. Of these answers only what is new is passed on.

    `_known_...` counts what was passed on. `_replayed_...` counts what the process that lives now has answered.
    """

    def __init__(self, readers: ReaderClient, opening: OpenText, on_read: OnRead) -> None:
        self._readers = readers
        self.name = opening.utterance
        self._on_read = on_read
        self.said: list[OpenText | Write | Boundary] = [opening]
        self.told = False  # whether the process that lives now (or the last one, while none lives) knows of it
        # Names the text without its caller: a text that ends the process does so for every caller.
        self.fingerprint = Fingerprint("")
        if opening.lexicon:
            self.fingerprint.add_text(repr(opening.lexicon))
        self._boundaries = 0
        self._known_segments = 0
        self._known_boundaries = 0
        self._known_unspoken = 0
        self._replayed_segments = 0
        self._replayed_unspoken = 0

    @property
    def has_work(self) -> bool:
        """Whether the process may work on it: it was opened or written last, or an answer is missing."""
        return self._known_boundaries < self._boundaries or isinstance(self.said[-1], OpenText | Write)

    @property
    def awaited(self) -> tuple[str, int, int] | None:
        """Names the work that must be answered next; None when there is none. Every answer changes the name."""
        if self._known_boundaries == self._boundaries:
            return None
        return self.name, self._known_segments, self._known_boundaries

    def write(self, text: str) -> None:
        self.fingerprint.add_text(text)
        self._say(Write(self.name, text, time.monotonic()))

    def flush(self) -> None:
        self._say(Boundary(self.name, "flush", time.monotonic()))

    def end(self) -> None:
        self._say(Boundary(self.name, "end", time.monotonic()))

    def commit(self) -> None:
        self._say(Boundary(self.name, "commit", time.monotonic()))

    def offer(self) -> None:
        self._say(Boundary(self.name, "offer", time.monotonic()))

    def drop(self) -> None:
        """Forgets the text: nothing is called back any more."""
        self._readers.forget(self.name)

    def _say(self, message: Write | Boundary) -> None:
        self.said.append(message)
        self._boundaries += isinstance(message, Boundary)
        self._readers.send(self.name, message)

    def replayed(self) -> None:
        """A new process begins with this text."""
        self.told = True
        self._replayed_segments = self._replayed_unspoken = 0

    def answer(self, message: Read | Failed) -> None:
        """Passes on what is new: a new process answers all again."""
        if isinstance(message, Failed):
            self._readers.forget(self.name)
            self._on_read(message)
            return
        first = self._known_segments - self._replayed_segments
        self._replayed_segments += len(message.segments)
        new = message.segments[max(0, first) :]
        first = self._known_unspoken - self._replayed_unspoken
        self._replayed_unspoken += len(message.unspoken)
        unspoken = message.unspoken[max(0, first) :]
        self._known_unspoken += len(unspoken)
        if not new and not unspoken and message.boundaries <= self._known_boundaries:
            return
        self._known_segments += len(new)
        self._known_boundaries = max(self._known_boundaries, message.boundaries)
        is_ended = isinstance(self.said[-1], Boundary) and self.said[-1].kind == "end"
        if is_ended and self._known_boundaries == self._boundaries:  # all of it is read
            self._readers.forget(self.name, known=True)
        self._on_read(replace(message, segments=new, boundaries=self._known_boundaries, unspoken=unspoken))


class ReaderClient:
    """The reader process and all open texts. `start` makes one and waits until it can read. Tests make one with its
    constructor and call `begin`, which does not wait."""

    def __init__(
        self,
        program: Program,
        on_progress: OnProgress,
        *,
        verbose: bool,
        stalled_s: float = 120.0,
        turn_s: float = _TURN_S,
    ) -> None:
        """stalled_s: how long a text waits for its next answer, while the process works for others."""
        self._on_progress = on_progress
        self._stalled_s = stalled_s
        self._suspects = Suspects(turn_s)
        self._refusals = Refusals()
        self._stalls: Stalls[tuple[str, int, int]] = Stalls(stalled_s)
        self._checking: asyncio.TimerHandle | None = None
        self._turn: asyncio.TimerHandle | None = None
        self._texts: dict[str, ClientText] = {}
        self._supervisor = Supervisor(lambda: program, ReaderReady, self, verbose=verbose)
        self._questions = TraceQuestions(self._supervisor.send)

    @classmethod
    async def start(
        cls,
        model: Path,
        languages: Sequence[str],
        on_progress: OnProgress = lambda progress: None,
        *,
        lexicon: str | None = None,
        verbose: bool = False,
        stalled_s: float = 120.0,
    ) -> ReaderClient:
        """Starts the process and waits until it can read `languages`. Raises ChildError when it cannot.

        lexicon: file of the server's lexicon.
        """
        options = ReaderProcessOptions(str(model), tuple(languages), lexicon)
        program = Program("reader", ("-m", "rtserver.reader.process"), options, limits=WatchLimits.of_model(model))
        readers = cls(program, on_progress, verbose=verbose, stalled_s=stalled_s)
        readers.begin()
        try:
            await readers._supervisor.first_ready
        except BaseException:
            await readers.close()
            raise
        return readers

    def begin(self) -> None:
        """Starts the process; does not wait."""
        self._supervisor.begin()

    @property
    def ready(self) -> bool:
        return self._supervisor.ready

    @property
    def live(self) -> int:
        """Texts that are open."""
        return len(self._texts)

    @property
    def processes(self) -> dict[str, ProcessHealth]:
        """The reader process, by its name."""
        return {self._supervisor.name: self._supervisor.health}

    @property
    def traces(self) -> TraceParts:
        """The processes that noted something of utterances."""
        return {"reader": self._questions.ask}

    def open(self, opening: OpenText, on_read: OnRead) -> ClientText:
        """Begins an utterance's text. What is read comes through `on_read`, never during a call from here."""
        text = self._texts[opening.utterance] = ClientText(self, opening, on_read)
        self._refusals.forget_old(self._now_s())
        text.told = self._supervisor.ready
        self.send(opening.utterance, opening)
        return text

    def send(self, utterance: str, message: OpenText | Write | Boundary) -> None:
        """Tells the process, if it is there; if not, the next one is told all. A suspect waits for its turn."""
        text = self._texts.get(utterance)
        if text is None:
            return
        if isinstance(message, Write) and text.fingerprint in self._refusals:
            refused_s = self._refusals.refused_s
            what = f"the reader was lost over the same text less than {refused_s:g} s ago"
            self._fail(text, "engine_lost", f"{what}: send another one, or this one later", refused_s)
            return
        self._check_later()
        if self._supervisor.ready and not self._suspects.waits(utterance):
            self._pass_on(text, message)

    def _pass_on(self, text: ClientText, message: Message) -> None:
        try:
            self._supervisor.send(message)
        except MessageError as error:
            self._fail(text, "bad_message", str(error))

    def _fail(self, text: ClientText, code: str, reason: str, retry_after_s: float | None = None) -> None:
        """Fails a text: not during the call that led to it, but in the next turn of the event loop."""
        failed = Failed(text.name, code, reason, retry_after_s)

        def answer() -> None:
            if text.name in self._texts:
                text.answer(failed)

        asyncio.get_running_loop().call_soon(answer)

    def forget(self, utterance: str, *, known: bool = False) -> None:
        """Lets go of a text; `known`: the process has done so itself."""
        if self._texts.pop(utterance, None) is None:
            return
        if not known and not self._suspects.waits(utterance):
            self._supervisor.send(Drop(utterance))
        self._suspects.forget(utterance)
        self._next_turn()

    async def close(self) -> None:
        """Ends the process."""
        self._texts.clear()
        for timer in (self._checking, self._turn):
            if timer is not None:
                timer.cancel()
        await self._supervisor.close()

    # -- what the supervisor tells ----------------------------------------------------------------------------------

    def on_up(self, name: str, ready: Message) -> None:
        for utterance, text in self._texts.items():
            if not self._suspects.waits(utterance):
                self._replay(text)
        self._next_turn()

    def on_down(self, name: str, incident: str) -> None:
        # One that was opened after the death has no part in it.
        worked_on = [utterance for utterance, text in self._texts.items() if text.told and text.has_work]
        now_s = self._now_s()
        culprit = self._suspects.died(worked_on, now_s)
        for text in self._texts.values():
            text.told = False
        if culprit is not None:
            text = self._texts[culprit]
            self._refusals.add(text.fingerprint, now_s)
            what = f"the reader was lost each time it read this text ({incident})"
            wait = f"it is refused for {self._refusals.refused_s:g} s"
            text.answer(Failed(culprit, "engine_lost", f"{what}: {wait}", self._refusals.refused_s))

    def on_message(self, name: str, message: Message) -> None:
        if isinstance(message, Traced):
            self._questions.answered(message)
        if isinstance(message, Read | Failed) and (text := self._texts.get(message.utterance)) is not None:
            text.answer(message)

    def on_progress(self, progress: Progress) -> None:
        self._on_progress(progress)

    # -- suspects, and texts that are not read ------------------------------------------------------------------------

    def _replay(self, text: ClientText) -> None:
        text.replayed()
        for message in text.said:
            self._pass_on(text, message)

    def _next_turn(self) -> None:
        """Lets the next suspect have its turn, when it is time."""
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        if not self._supervisor.ready or self._suspects.next_s is None:
            return
        suspect = self._suspects.next_turn(self._now_s())
        if suspect is not None:
            self._replay(self._texts[suspect])
        if (at_s := self._suspects.next_s) is not None:
            self._turn = asyncio.get_running_loop().call_at(at_s, self._next_turn)

    def _check_later(self) -> None:
        if self._checking is None:
            self._checking = asyncio.get_running_loop().call_later(self._stalls.every_s, self._check)

    def _check(self) -> None:
        """Fails the texts that wait too long for an answer of a process that works."""
        self._checking = None
        texts = [(u, text) for u, text in self._texts.items() if self.ready and not self._suspects.waits(u)]
        for utterance, _, _ in self._stalls.check([work for _, text in texts if (work := text.awaited) is not None]):
            what = f"the reader gave no answer for {self._stalled_s:g} s: start it again later"
            self._texts[utterance].answer(Failed(utterance, "engine_lost", what))
        if self._texts:
            self._check_later()

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()
