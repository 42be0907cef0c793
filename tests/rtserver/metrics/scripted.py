"""An engine whose events the test sends, and the time that the test tells."""

from __future__ import annotations

from collections.abc import Sequence

from rtserver.engine.api import EngineError, Event, OnEvent
from rtserver.ipc.engine import Audio, Done, Load, Open, Ready
from rtserver.ipc.reading import Segment
from rtserver.metrics.counting_engine import CountedUtterance, CountingEngine
from rtserver.metrics.metrics import Metrics

RATE_HZ = 24000
READY = Ready("scripted", RATE_HZ, ["voice"], {})


class ScriptedUtterance:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def feed(self, segments: Sequence[Segment]) -> None:
        self.told.append(list(segments))

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
    """Opens one utterance after another; `refuses` is raised instead."""

    def __init__(self) -> None:
        self.info = READY
        self.ready = True
        self.live = 3
        self.load: Load | None = None
        self.refuses: EngineError | None = None
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


class Counted:
    """A counting engine around a scripted one, at the time `now_s`."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.metrics = Metrics()
        self.engine = ScriptedEngine()
        self.counting = CountingEngine(self.engine, self.metrics, lambda: self.now_s)
        self.events: list[Event] = []

    def open(self, request: Open | None = None) -> CountedUtterance:
        return self.counting.open(request or Open("u", "voice"), self.events.append)


def audio(seconds: float, tokens: int = 0) -> Audio:
    return Audio("u", bytes(2 * round(seconds * RATE_HZ)), 0.0, tokens)


def done(tokens: int = 0, **seconds: float) -> Done:
    return Done("u", 0, [0] * tokens, 1, False, seconds)


def letters(count: int) -> list[Segment]:
    """Text of so many ids."""
    return [Segment([7] * count, 0, False)]
