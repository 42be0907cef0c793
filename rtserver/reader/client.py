"""The front's side of the reader process: text in, segments back by callback, across the process's deaths."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from rtserver.ipc.engine import Failed
from rtserver.ipc.framing import Message
from rtserver.ipc.options import ReaderProcessOptions
from rtserver.ipc.process import OnProgress, Progress
from rtserver.ipc.reading import Boundary, Drop, OpenText, Read, ReaderReady, Write
from rtserver.ipc.tracing import Traced, TraceParts
from rtserver.processes.program import Program
from rtserver.processes.supervisor import ProcessHealth, Supervisor
from rtserver.processes.trace_questions import TraceQuestions
from rtserver.processes.watch import WatchLimits

OnRead = Callable[[Read | Failed], None]

# A text that was there each time the process died may be why it did.
_DEATHS_TO_FAIL = 2


class ClientText:
    """One utterance's text. It remembers all that was said, for a new process, and how much of its answers is known."""

    def __init__(self, readers: ReaderClient, opening: OpenText, on_read: OnRead) -> None:
        self._readers = readers
        self._name = opening.utterance
        self._on_read = on_read
        self.said: list[OpenText | Write | Boundary] = [opening]
        self.told = False  # whether the process that lives, or lived last, knows of it
        self.deaths = 0
        self._known_segments = 0
        self._known_boundaries = 0
        self._known_unspoken = 0
        self._replayed_segments = 0  # of the process that lives now
        self._replayed_unspoken = 0

    def write(self, text: str) -> None:
        self._say(Write(self._name, text, time.monotonic()))

    def flush(self) -> None:
        self._say(Boundary(self._name, "flush", time.monotonic()))

    def end(self) -> None:
        self._say(Boundary(self._name, "end", time.monotonic()))

    def commit(self) -> None:
        self._say(Boundary(self._name, "commit", time.monotonic()))

    def drop(self) -> None:
        """Forgets the text: nothing is called back any more."""
        self._readers.forget(self._name)

    def _say(self, message: Write | Boundary) -> None:
        self.said.append(message)
        self._readers.send(self._name, message)

    def replayed(self) -> None:
        """A new process begins with this text."""
        self.told = True
        self._replayed_segments = self._replayed_unspoken = 0

    def answer(self, message: Read | Failed) -> None:
        """Passes on what is new: a new process answers all again."""
        if isinstance(message, Failed):
            self._readers.forget(self._name)
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
        if isinstance(self.said[-1], Boundary) and self.said[-1].kind == "end":
            boundaries = sum(isinstance(m, Boundary) for m in self.said)
            if self._known_boundaries == boundaries:  # all of it is read
                self._readers.forget(self._name, known=True)
        self._on_read(replace(message, segments=new, boundaries=self._known_boundaries, unspoken=unspoken))


class ReaderClient:
    """Made by `start`."""

    def __init__(self, program: Program, on_progress: OnProgress, *, verbose: bool) -> None:
        self._on_progress = on_progress
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
        verbose: bool = False,
    ) -> ReaderClient:
        """Starts the process and waits until it can read `languages`. Raises ChildError when it cannot."""
        options = ReaderProcessOptions(str(model), tuple(languages))
        program = Program("reader", ("-m", "rtserver.reader.process"), options, limits=WatchLimits.of_model(model))
        readers = cls(program, on_progress, verbose=verbose)
        readers._supervisor.begin()
        try:
            await readers._supervisor.first_ready
        except BaseException:
            await readers.close()
            raise
        return readers

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

    def open(self, utterance: str, on_read: OnRead, *, language: str | None, words: bool) -> ClientText:
        """Begins an utterance's text. What is read comes through `on_read`, never during a call from here."""
        opening = OpenText(utterance, language, words)
        text = self._texts[utterance] = ClientText(self, opening, on_read)
        text.told = self._supervisor.ready
        self.send(utterance, opening)
        return text

    def send(self, utterance: str, message: Message) -> None:
        """Tells the process, if it is there: a new one is told everything."""
        if utterance in self._texts and self._supervisor.ready:
            self._supervisor.send(message)

    def forget(self, utterance: str, *, known: bool = False) -> None:
        """Lets go of a text; `known`: the process has done so itself."""
        if self._texts.pop(utterance, None) is not None and not known:
            self._supervisor.send(Drop(utterance))

    async def close(self) -> None:
        """Ends the process."""
        self._texts.clear()
        await self._supervisor.close()

    # -- what the supervisor tells ----------------------------------------------------------------------------------

    def on_up(self, name: str, ready: Message) -> None:
        for text in self._texts.values():
            text.replayed()
            for message in text.said:
                self._supervisor.send(message)

    def on_down(self, name: str, incident: str) -> None:
        for utterance, text in list(self._texts.items()):
            text.deaths += text.told  # one that was opened after the death has no part in it
            text.told = False
            if text.deaths >= _DEATHS_TO_FAIL:
                what = f"the reader was lost {_DEATHS_TO_FAIL} times over this text ({incident})"
                text.answer(Failed(utterance, "engine_lost", f"{what}: start it again, or send another text"))

    def on_message(self, name: str, message: Message) -> None:
        if isinstance(message, Traced):
            self._questions.answered(message)
        if isinstance(message, Read | Failed) and (text := self._texts.get(message.utterance)) is not None:
            text.answer(message)

    def on_progress(self, progress: Progress) -> None:
        self._on_progress(progress)
