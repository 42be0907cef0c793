"""How the engine that speaks tones is held, bounded, cancelled and closed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from types import SimpleNamespace

import pytest

from rtserver.engine import fake
from rtserver.engine.api import EngineError, Event
from rtserver.engine.fake import FakeEngine, FakeOptions
from rtserver.ipc.engine import Audio, Done, Open, Started
from rtserver.ipc.reading import Segment
from tests.rtserver.serving import eventually

# Sounds as fast as can be; an id is 0.06 s, and each comes alone.
OPTIONS = FakeOptions(realtime_factor=0.0, hop_s=0.06)
TEXT = [Segment([7] * 50, 0, True)]


class Clock:
    """The engine's time, which stands still until it is moved."""

    now_s = 100.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(fake, "time", SimpleNamespace(monotonic=lambda: made.now_s))
    return made


@contextlib.asynccontextmanager
async def engine(options: FakeOptions = OPTIONS) -> AsyncIterator[FakeEngine]:
    """Closed behind the block; no task of it may be left."""
    tasks = asyncio.all_tasks()
    made = FakeEngine(options)
    yield made
    await made.close()
    assert made.live == 0 and asyncio.all_tasks() == tasks


def ids_heard(events: list[Event]) -> int:
    """How many ids have sounded."""
    return sum(len(e.pcm) for e in events if isinstance(e, Audio)) // 2880


async def turns() -> None:
    """Time enough for a second of sound, if it may be made."""
    for _ in range(50):
        await asyncio.sleep(0)


def test_work_stops_at_the_lead(clock: Clock) -> None:
    """No sound is made while the listener has more ahead than it may; what it has heard lets so much more be made."""

    async def scenario() -> None:
        async with engine() as one:
            events: list[Event] = []
            utterance = one.open(Open("u", "default", max_lead_s=0.25), events.append)
            utterance.feed(TEXT)
            await eventually(lambda: ids_heard(events) == 5)  # 0.3 s, the first beyond the bound
            await turns()
            assert ids_heard(events) == 5
            utterance.heard(0.12)
            await eventually(lambda: ids_heard(events) == 7)
            await turns()
            assert ids_heard(events) == 7
            clock.now_s += 0.06  # it plays on by itself
            await eventually(lambda: ids_heard(events) == 8)

    asyncio.run(scenario())


def test_a_listener_that_stands_still_gets_no_more(clock: Clock) -> None:
    """The bound holds for as long as the listener hears nothing, however long that is."""

    async def scenario() -> None:
        async with engine() as one:
            events: list[Event] = []
            utterance = one.open(Open("u", "default", max_lead_s=0.25), events.append)
            utterance.feed(TEXT)
            utterance.end()
            await eventually(lambda: ids_heard(events) == 5)
            await asyncio.sleep(0.2)  # it would be 0.05 s for one that listens
            assert ids_heard(events) == 5
            clock.now_s += 0.1
            utterance.heard(0.0)  # it had not even begun
            await turns()
            assert ids_heard(events) == 5

    asyncio.run(scenario())


def test_a_batch_without_a_bound_is_made_at_once(clock: Clock) -> None:
    """Without max_lead_s everything is made, heard or not."""

    async def scenario() -> None:
        async with engine() as one:
            events: list[Event] = []
            utterance = one.open(Open("u", "default", service_class="batch"), events.append)
            utterance.feed(TEXT)
            utterance.end()
            await eventually(lambda: any(isinstance(e, Done) for e in events))
            assert ids_heard(events) == 50

    asyncio.run(scenario())


def test_a_held_utterance_makes_no_sound() -> None:
    """A hold stops the work, text that comes does not break it, and letting go goes on where it was."""

    async def scenario() -> None:
        async with engine() as one:
            events: list[Event] = []

            def take(event: Event) -> None:
                events.append(event)
                if ids_heard(events) == 3:
                    utterance.hold(True)

            utterance = one.open(Open("u", "default"), take)
            utterance.hold(True)
            utterance.feed(TEXT)
            utterance.end()
            await turns()
            assert events == [Started("u", "中文女", 1)]
            utterance.hold(False)
            await eventually(lambda: ids_heard(events) == 3)
            await turns()
            assert ids_heard(events) == 3
            utterance.hold(False)
            await eventually(lambda: isinstance(events[-1], Done))
            assert ids_heard(events) == 50

    asyncio.run(scenario())


def test_a_hold_during_the_wait_for_the_listener_holds(clock: Clock) -> None:
    """When the listener has caught up, a held utterance still makes no sound."""

    async def scenario() -> None:
        async with engine() as one:
            events: list[Event] = []
            utterance = one.open(Open("u", "default", max_lead_s=0.25), events.append)
            utterance.feed(TEXT)
            await eventually(lambda: ids_heard(events) == 5)
            utterance.hold(True)
            clock.now_s += 0.3
            utterance.heard(0.3)
            await turns()
            assert ids_heard(events) == 5
            utterance.hold(False)
            await eventually(lambda: ids_heard(events) == 10)

    asyncio.run(scenario())


def test_cancel_is_silent_and_frees_the_name() -> None:
    """No event follows a cancel, whatever is called after it; the name can be taken at once; others go on."""

    async def scenario() -> None:
        async with engine() as one:
            cut: list[Event] = []
            other: list[Event] = []
            utterance = one.open(Open("u", "default"), cut.append)
            one.open(Open("other", "default"), other.append).feed(TEXT)
            utterance.feed(TEXT)
            await eventually(lambda: ids_heard(cut) >= 2)
            utterance.cancel()
            before = list(cut)
            assert one.live == 1
            again: list[Event] = []
            successor = one.open(Open("u", "default"), again.append)
            for call in (utterance.cancel, utterance.end, lambda: utterance.flush("f"), lambda: utterance.feed(TEXT)):
                call()
            successor.feed(TEXT)
            successor.end()
            await eventually(lambda: again != [] and isinstance(again[-1], Done))
            await eventually(lambda: ids_heard(other) == 50)
            assert cut == before and one.live == 1

    asyncio.run(scenario())


def test_one_that_never_had_a_turn_can_be_cancelled() -> None:
    """A cancel right after the opening lets no event out."""

    async def scenario() -> None:
        async with engine() as one:
            events: list[Event] = []
            one.open(Open("u", "default"), events.append).cancel()
            await turns()
            assert events == [] and one.live == 0

    asyncio.run(scenario())


def test_calls_after_the_end_do_nothing_to_a_namesake() -> None:
    """Calls to an utterance that is done leave alone the one that has its name now."""

    async def scenario() -> None:
        async with engine() as one:
            events: list[Event] = []
            first = one.open(Open("u", "default"), events.append)
            first.end()
            await eventually(lambda: events != [] and isinstance(events[-1], Done))
            count = len(events)
            one.open(Open("u", "default"), lambda event: None)
            for call in (first.cancel, first.end, lambda: first.hold(True), lambda: first.heard(1.0)):
                call()
            assert one.live == 1 and len(events) == count
            with pytest.raises(ValueError, match="'u' is already open"):
                one.open(Open("u", "default"), events.append)

    asyncio.run(scenario())


def test_names_and_places_are_limited() -> None:
    """A name that is open, and one utterance too many, are refused; a place that is left is free."""

    async def scenario() -> None:
        async with engine(replace(OPTIONS, max_streams=2)) as one:
            first = one.open(Open("a", "default"), lambda event: None)
            with pytest.raises(ValueError, match="utterance 'a' is already open"):
                one.open(Open("a", "default"), lambda event: None)
            one.open(Open("b", "default"), lambda event: None)
            with pytest.raises(EngineError, match="at most 2 utterances"):
                one.open(Open("c", "default"), lambda event: None)
            first.cancel()
            one.open(Open("c", "default"), lambda event: None)
            assert one.live == 2

    asyncio.run(scenario())


def test_a_closed_engine_takes_nothing() -> None:
    """Closing ends what is open; it is not ready any more and refuses what comes later."""

    async def scenario() -> None:
        async with engine() as one:
            assert one.ready and one.info.voices == ["中文女", "中文男", "英文女", "英文男"]
            events: list[Event] = []
            one.open(Open("u", "default"), events.append).feed(TEXT)
            await eventually(lambda: events != [])
            await one.close()
            before = list(events)
            assert not one.ready and one.live == 0
            with pytest.raises(EngineError, match="closed"):
                one.open(Open("later", "default"), events.append)
            await turns()
            assert events == before

    asyncio.run(scenario())
