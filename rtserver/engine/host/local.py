"""The engine on this machine: a talker process and an acoustic process, watched and replaced from here.

All messages pass through this process, so that either of them can die while the other lives; the ledger knows what a
new one must be told.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from rtserver.engine.api import EngineError, OnEvent
from rtserver.engine.host.alarm import Alarm
from rtserver.engine.host.ledger import Ledger
from rtserver.engine.host.preparing import Preparing
from rtserver.engine.host.steps import Step, ToOwner, ToProcess
from rtserver.engine.host.transcript_reading import BeginText, TranscriptReading
from rtserver.ipc.engine import Done, Failed, Load, Open, Ready, Writing
from rtserver.ipc.message import Message
from rtserver.ipc.options import AcousticProcessOptions, PreparerProcessOptions, TalkerProcessOptions
from rtserver.ipc.preparing import Dismiss, Prepare, Prepared
from rtserver.ipc.process import Count, Counted, OnProgress, Progress
from rtserver.ipc.reading import Segment
from rtserver.ipc.talker import SampleQuantum, TalkerReady, Tokens
from rtserver.ipc.tracing import Stage, Traced, TraceParts
from rtserver.messages.codec import MessageError
from rtserver.metrics.trace import Ring
from rtserver.processes.program import Program
from rtserver.processes.supervisor import ProcessHealth, Supervisor
from rtserver.processes.trace_questions import TraceQuestions
from rtserver.processes.watch import WatchLimits

# The talker has one thread: vLLM's CPU kernels stall when two threads contend for a core. The rest is for the acoustic
# process.
ACOUSTIC_THREADS = max(1, (os.cpu_count() or 2) - 1)


@dataclass(frozen=True)
class LocalOptions:
    """How the processes of an engine run."""

    talker: TalkerProcessOptions
    acoustic: AcousticProcessOptions
    preparer: PreparerProcessOptions
    # What Python runs as the acoustic process. The bench puts another program in its place.
    acoustic_program: tuple[str, ...] = ("-m", "rtserver.engine.acoustic.process")
    # Whether the acoustic process starts when the talker is ready. On a GPU that both share, each must find its part of
    # the memory free, and vLLM measures what is free while it starts. Otherwise both start together.
    talker_first: bool = False
    # How long an utterance waits for a process that is gone.
    recovery_s: float = 30.0
    # How long an utterance waits for one piece of its work, while the process works for others.
    stalled_s: float = 120.0
    # Whether what the processes print is shown.
    verbose: bool = False


class LocalUtterance:
    """An utterance of a LocalEngine."""

    def __init__(self, engine: LocalEngine, name: str) -> None:
        self._engine = engine
        self._name = name

    def feed(self, segments: Sequence[Segment], writing: Writing | None = None) -> None:
        self._engine.do(self._engine.ledger.feed(self._name, segments, writing))

    def flush(self, flush_id: str) -> None:
        self._engine.do(self._engine.ledger.flush(self._name, flush_id))

    def end(self) -> None:
        self._engine.do(self._engine.ledger.end(self._name))

    def cancel(self) -> None:
        self._engine.forget(self._name)
        self._engine.do(self._engine.ledger.cancel(self._name))

    def heard(self, position_s: float) -> None:
        self._engine.do(self._engine.ledger.heard(self._name, position_s))

    def hold(self, on: bool) -> None:
        self._engine.do(self._engine.ledger.hold(self._name, on))


class LocalEngine:
    """The engine of a talker and an acoustic process. `start` makes one."""

    def __init__(self, options: LocalOptions, on_progress: OnProgress, read_text: BeginText | None) -> None:
        self._options = options
        self._info: Ready | None = None
        self.ledger = Ledger(options.recovery_s, options.stalled_s)
        self._supervisors = {
            "talker": Supervisor(self._talker_program, TalkerReady, self, verbose=options.verbose),
            "acoustic": Supervisor(self._acoustic_program, Ready, self, verbose=options.verbose),
        }
        limits = WatchLimits.of_model(Path(options.preparer.model))
        preparer = Program("preparer", ("-m", "rtserver.engine.preparer"), options.preparer, nice=15, limits=limits)
        self._ring = Ring()
        self._questions = {name: TraceQuestions(supervisor.send) for name, supervisor in self._supervisors.items()}
        self._preparing = Preparing(preparer, self._on_prepared, verbose=options.verbose, stalled_s=options.stalled_s)
        self._transcripts = None if read_text is None else TranscriptReading(read_text, self._on_prepared)
        self._on_progress = on_progress
        self._on_event: dict[str, OnEvent] = {}
        self._load: Load | None = None
        self._talker_load_s = 0.0
        self._counts: dict[str, asyncio.Future[dict[str, int]]] = {}
        self._expiry = Alarm(self._expire)
        self._closed = False

    @classmethod
    async def start(
        cls,
        options: LocalOptions,
        on_progress: OnProgress = lambda progress: None,
        read_text: BeginText | None = None,
    ) -> LocalEngine:
        """Starts both processes and waits until they can speak. Raises ChildError when they cannot.

        read_text: reads the transcripts of voice prompts. None for an engine without a reader: then the preparer reads
        them, which takes it seconds, because it loads what phonemes need.
        """
        engine = cls(options, on_progress, read_text)
        supervisors = engine._supervisors.values()
        try:
            for supervisor in supervisors:
                supervisor.begin()
                if options.talker_first:
                    await supervisor.first_ready
            await asyncio.gather(*(s.first_ready for s in supervisors))
        except BaseException:
            await engine.close()
            raise
        return engine

    @property
    def info(self) -> Ready:
        assert self._info is not None, "the engine has not started"
        return replace(self._info, load_s={**self._info.load_s, "talker": self._talker_load_s})

    @property
    def ready(self) -> bool:
        return not self._closed and all(s.ready for s in self._supervisors.values())

    @property
    def live(self) -> int:
        return self.ledger.live

    @property
    def load(self) -> Load | None:
        return self._load

    @property
    def processes(self) -> dict[str, ProcessHealth]:
        return {name: supervisor.health for name, supervisor in self._supervisors.items()}

    @property
    def traces(self) -> TraceParts:
        """The processes that noted something of utterances."""

        async def host(utterance: str) -> Traced:
            return self._ring.traced("host", utterance, works=False)

        return {"host": host, **{name: questions.ask for name, questions in self._questions.items()}}

    def open(self, request: Open, on_event: OnEvent) -> LocalUtterance:
        if self._closed:
            raise EngineError("the engine is closed")
        steps = self.ledger.open(request, self._now_s())
        self._on_event[request.utterance] = on_event
        self.do(steps)
        return LocalUtterance(self, request.utterance)

    def do(self, steps: Sequence[Step]) -> None:
        """Sends and delivers what the ledger says."""
        for step in steps:
            if isinstance(step, ToOwner):
                name = step.event.utterance
                over = isinstance(step.event, Done | Failed)
                on_event = self._on_event.pop(name, None) if over else self._on_event.get(name)
                if on_event is not None:
                    on_event(step.event)
            else:
                self._send(step)
        self._schedule_expiry()

    def _send(self, step: ToProcess) -> None:
        try:
            self._supervisors[step.part].send(step.message)
        except MessageError as error:
            self.do(self.ledger.unsendable(getattr(step.message, "utterance", ""), str(error)))

    def forget(self, name: str) -> None:
        """Delivers no more events of an utterance."""
        self._on_event.pop(name, None)

    async def held(self) -> dict[str, int]:
        """What engine and processes hold; all zero when no utterance is open. Waits for both processes' answers."""
        self._counts = {name: asyncio.get_running_loop().create_future() for name in self._supervisors}
        for supervisor in self._supervisors.values():
            supervisor.send(Count())
        held = {f"{name}_{what}": n for name, f in self._counts.items() for what, n in (await f).items()}
        transcripts = 0 if self._transcripts is None else self._transcripts.wanted
        return held | self.ledger.counts | {"preparations": self._preparing.wanted + transcripts}

    async def close(self) -> None:
        self._closed = True
        self.do(self.ledger.fail_all("the engine is closed"))
        self._expiry.set(None)
        if self._transcripts is not None:
            self._transcripts.close()
        await asyncio.gather(*(s.close() for s in self._supervisors.values()), self._preparing.close())

    # -- the programs -----------------------------------------------------------------------------------------------

    def _talker_program(self) -> Program:
        options = self._options.talker
        limits = WatchLimits.of_model(Path(options.model))
        return Program("talker", ("-m", "rtserver.engine.talker.process"), options, limits=limits)

    def _acoustic_program(self) -> Program:
        """After a death it gets the first hop that its predecessor had: an utterance must go on with the hops that it
        began with."""
        options = self._options.acoustic
        if self._info is not None:
            options = msgspec.structs.replace(options, first_hop_tokens=self._info.first_hop_tokens)
        limits = WatchLimits.of_model(Path(options.model))
        return Program("acoustic", self._options.acoustic_program, options, ACOUSTIC_THREADS, limits=limits)

    # -- what supervisors tell --------------------------------------------------------------------------------------

    def on_up(self, name: str, ready: Message) -> None:
        if isinstance(ready, Ready):
            self._info = ready
            self.do(self.ledger.acoustic_up(ready.sample_rate))
        elif isinstance(ready, TalkerReady):
            self._talker_load_s = ready.load_s
            self.do(self.ledger.talker_up())

    def on_down(self, name: str, incident: str) -> None:
        self.do(self.ledger.down("talker" if name == "talker" else "acoustic", incident, self._now_s()))

    def on_message(self, name: str, message: Message) -> None:
        if isinstance(message, Counted):
            self._counts[message.part].set_result(message.held)
        elif isinstance(message, Traced):
            self._questions[name].answered(message)
        elif isinstance(message, Load):
            self._load = message
        elif isinstance(message, Prepare):
            self._prepare(message)
        elif isinstance(message, Dismiss):
            self._preparing.dismiss(message.key)
            if self._transcripts is not None:
                self._transcripts.dismiss(message.key)
        elif name == "talker":
            self._relay("tokens_relay", message, self.ledger.from_talker)
        elif isinstance(message, SampleQuantum):
            self._relay("quantum_relay", message, self.ledger.from_acoustic)
        else:
            self.do(self.ledger.from_acoustic(message))

    def _prepare(self, message: Prepare) -> None:
        if message.key.kind == "transcript" and self._transcripts is not None:
            self._transcripts.request(message.key)
        elif (prepare := self.ledger.with_samples(message)) is not None:
            self._preparing.request(prepare)

    def _relay(self, stage: Stage, message: Message, decide: Callable[[Message], Sequence[Step]]) -> None:
        """Passes on what one process has for the other."""
        start_s = time.monotonic()
        steps = decide(message)
        if isinstance(message, SampleQuantum | Tokens):
            self._ring.note(message.utterance, stage, start_s, start_s, time.monotonic())
        self.do(steps)

    def _on_prepared(self, prepared: Prepared) -> None:
        self.do(self.ledger.from_preparer(prepared))

    def on_progress(self, progress: Progress) -> None:
        self._on_progress(progress)

    # -- time -------------------------------------------------------------------------------------------------------

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()

    def _schedule_expiry(self) -> None:
        at_s = self.ledger.next_expiry_s
        self._expiry.set(None if self._closed else at_s)

    def _expire(self) -> None:
        self.do(self.ledger.expire(self._now_s()))
