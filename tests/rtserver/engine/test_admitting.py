"""An engine that takes only what it can carry."""

from __future__ import annotations

import asyncio

import pytest

from rtserver.engine.admitting import AdmittingEngine, Overloaded
from rtserver.engine.api import EngineError, EventStream
from rtserver.engine.fake import FakeEngine, FakeOptions
from rtserver.ipc.engine import Done, Open
from rtserver.ipc.reading import Segment
from rtserver.schedule.admission import Admission, AdmissionLimits
from tests.rtserver.engine.acoustic.loads import load_of


def admitting(streams: int, *, realtime_factor: float = 0.01) -> tuple[AdmittingEngine, Admission]:
    """Around tones, which are said to cost something."""
    engine = FakeEngine(FakeOptions(realtime_factor=realtime_factor))
    engine.load = load_of(streams)
    admission = Admission(AdmissionLimits())
    return AdmittingEngine(engine, admission), admission


def test_what_does_not_fit_is_refused_until_a_place_is_free() -> None:
    """A cancelled utterance and one that is done give theirs back."""

    async def scenario() -> None:
        engine, admission = admitting(2)
        first, second, third = (EventStream() for _ in range(3))
        cancelled = engine.open(Open("a", "default"), first.put)
        speaks = engine.open(Open("b", "default"), second.put)
        with pytest.raises(Overloaded, match=r"2.5 of 2.5 places") as refused:
            engine.open(Open("c", "default"), third.put)
        assert refused.value.retry_after_s > 0 and engine.live == 2
        cancelled.cancel()
        assert engine.open(Open("c", "default"), third.put) is not None
        speaks.feed([Segment([1], 0, True, 0, 1, "a")])
        speaks.end()
        assert [type(event) async for event in second][-1] is Done
        assert admission.demand == 1.0
        await engine.close()

    asyncio.run(scenario())


def test_an_engine_that_cannot_open_gives_the_place_back() -> None:
    """A name that is taken and an engine that is closed hold nothing."""

    async def scenario() -> None:
        engine, admission = admitting(3)
        engine.open(Open("a", "default"), EventStream().put)
        with pytest.raises(ValueError, match="already open"):
            engine.open(Open("a", "default"), EventStream().put)
        await engine.close()
        with pytest.raises(EngineError):
            engine.open(Open("b", "default"), EventStream().put)
        assert admission.live("realtime") == 0

    asyncio.run(scenario())
