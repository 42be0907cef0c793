"""An utterance whose engine and reader say what the test tells them, at the time that the test gives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from rtserver.engine.api import EngineError, OnEvent
from rtserver.front.utterance import FrontUtterance, UtteranceEvent
from rtserver.ipc.engine import Audio, Done, Failed, Load, Open, Ready, Writing
from rtserver.ipc.reading import NotAsWritten, OpenText, Read, Segment
from rtserver.ipc.tracing import TraceParts
from rtserver.processes.supervisor import ProcessHealth
from rtserver.schedule.admission import AdmissionLimits
from rtserver.session.caller import Caller
from rtserver.session.effects import OpenUtterance
from tests.rtserver.front.backends import accounts_of, backend_of

RATE_HZ = 24000
READY = Ready("scripted", RATE_HZ, ["voice"], {})


class ScriptedUtterance:
    """Records its calls."""

    def __init__(self) -> None:
        self.told: list[object] = []
        self.writing: Writing | None = None  # of the text that came last

    def feed(self, segments: Sequence[Segment], writing: Writing | None = None) -> None:
        self.told.append(list(segments))
        self.writing = writing

    def flush(self, flush_id: str) -> None:
        self.told.append(("flush", flush_id))

    def end(self) -> None:
        self.told.append("end")

    def cancel(self) -> None:
        self.told.append("cancel")

    def heard(self, position_s: float) -> None:
        self.told.append(("heard", position_s))

    def hold(self, on: bool) -> None:
        self.told.append(("hold", on))


class ScriptedEngine:
    """Opens one utterance after another. If `refuses` is set, it raises that instead."""

    def __init__(self) -> None:
        self.info = READY
        self.ready = True
        self.live = 3
        self.load: Load | None = None
        self.processes: Mapping[str, ProcessHealth] = {}
        self.traces: TraceParts = {}
        self.refuses: Exception | None = None
        self.closed = False
        self.utterance = ScriptedUtterance()
        self.send: OnEvent = lambda event: None

    def open(self, request: Open, on_event: OnEvent) -> ScriptedUtterance:
        if self.refuses is not None:
            raise self.refuses
        self.send = on_event
        self.utterance = ScriptedUtterance()
        return self.utterance

    async def close(self) -> None:
        self.closed = True


class ScriptedReader:
    """Records the calls to the latest text. `answer` gives the reader's answer. It opens no text if `refuses` is
    set."""

    def __init__(self) -> None:
        self.ready = True
        self.processes: Mapping[str, ProcessHealth] = {}
        self.traces: TraceParts = {}
        self.refuses = False
        self.told: list[object] = []
        self.answer: Callable[[Read | Failed], None] = lambda answer: None

    def open(self, opening: OpenText, on_read: Callable[[Read | Failed], None]) -> ScriptedReader:
        if self.refuses:
            raise EngineError("no reader")
        self.answer = on_read
        return self

    def write(self, text: str) -> None:
        self.told.append(text)

    def flush(self) -> None:
        self.told.append("flush")

    def end(self) -> None:
        self.told.append("end")

    def commit(self) -> None:
        self.told.append("commit")

    def offer(self) -> None:
        self.told.append("offer")

    def drop(self) -> None:
        self.told.append("drop")


@dataclass
class Timer:
    """A call that is due."""

    at_s: float
    action: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


class Scripted:
    """A scripted backend at the time `now_s`, and the events that the session got."""

    def __init__(self, limits: AdmissionLimits | None = None, **settings: Any) -> None:
        """`settings`: the server's, for what a caller may hold."""
        self.now_s = 100.0
        self.engine = ScriptedEngine()
        self.reader = ScriptedReader()
        self.backend = backend_of(self.engine, self.reader, limits)
        self.accounts = accounts_of(**settings)
        self.metrics = self.backend.metrics
        self.admission = self.backend.admission
        self.timers: list[Timer] = []
        self.events: list[UtteranceEvent] = []
        self.unreadable: list[Failed] = []
        self.segments: list[Segment] = []
        self.unspoken: list[NotAsWritten] = []

    def open(self, request: Open | None = None) -> FrontUtterance:
        return FrontUtterance(
            OpenUtterance(1, request or Open("u", "voice"), words=True, language=None),
            self.backend,
            self.accounts.of(Caller("tenant")),
            on_event=self.events.append,
            on_segments=self.segments.extend,
            on_unspoken=self.unspoken.extend,
            on_unreadable=self.unreadable.append,
            clock=lambda: self.now_s,
            later=self._call_later,
        )

    def _call_later(self, delay_s: float, action: Callable[[], None]) -> asyncio.TimerHandle:
        timer = Timer(self.now_s + delay_s, action)
        self.timers.append(timer)
        return cast(asyncio.TimerHandle, timer)

    def wait(self, seconds: float) -> None:
        """Lets time pass, and calls what is due."""
        until_s = self.now_s + seconds
        while due := [timer for timer in self.timers if timer.at_s <= until_s]:
            timer = min(due, key=lambda timer: timer.at_s)
            self.timers.remove(timer)
            self.now_s = timer.at_s
            if not timer.cancelled:
                timer.action()
        self.now_s = until_s

    def read(self, segments: Sequence[Segment], boundaries: int = 0) -> None:
        """The reader has read these segments, and has answered this many boundaries in all."""
        self.reader.answer(Read("u", list(segments), boundaries))


def audio(seconds: float, tokens: int = 0) -> Audio:
    return Audio("u", bytes(2 * round(seconds * RATE_HZ)), 0.0, tokens)


def done(tokens: int = 0, **seconds: float) -> Done:
    return Done("u", 0, [0] * tokens, 1, False, seconds)


def letters(count: int) -> list[Segment]:
    """Text of this many ids."""
    return [Segment([7] * count, 0, False)]
