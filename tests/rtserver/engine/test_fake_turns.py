"""How the engine that speaks tones shares time out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from rtserver.engine import fake
from rtserver.engine.api import Event, OnEvent
from rtserver.engine.fake import FakeEngine, FakeOptions
from rtserver.ipc.engine import Audio, Done, Flushed, Open
from rtserver.ipc.reading import Segment
from tests.rtserver.serving import eventually

# An id is 0.06 s and comes alone; an utterance makes four of them before another has its turn.
OPTIONS = FakeOptions(realtime_factor=0.0, hop_s=0.06, hops_a_turn=4)
TEXT = [Segment([7] * 50, 0, True)]


def audio(events: list[Event]) -> int:
    return sum(isinstance(e, Audio) for e in events)


def at_the_second_hop(events: list[Event], act: Callable[[], None]) -> OnEvent:
    """Notes events; the second hop makes it act."""

    def take(event: Event) -> None:
        events.append(event)
        if audio(events) == 2:
            act()

    return take


async def turns() -> None:
    """Time enough for all of TEXT."""
    for _ in range(60):
        await asyncio.sleep(0)


def test_utterances_take_turns() -> None:
    """Of two that could sound at once each makes so many hops, then the other does."""
    sounds: list[Event] = []

    async def scenario() -> None:
        one = FakeEngine(OPTIONS)
        for name in ("a", "b"):
            utterance = one.open(Open(name, "default"), sounds.append)
            utterance.feed(TEXT)
            utterance.end()
        await eventually(lambda: one.live == 0)
        await one.close()

    asyncio.run(scenario())
    order = "".join(e.utterance for e in sounds if isinstance(e, Audio))
    assert order.startswith("aaaabbbbaaaabbbb") and order.count("a") == order.count("b") == 50


def test_a_hold_in_the_midst_of_a_turn_holds_at_once() -> None:
    """The hop that led to it is the last; letting go makes the rest."""

    async def scenario() -> None:
        one = FakeEngine(OPTIONS)
        events: list[Event] = []

        utterance = one.open(Open("u", "default"), at_the_second_hop(events, lambda: utterance.hold(True)))
        utterance.feed(TEXT)
        utterance.end()
        await eventually(lambda: audio(events) == 2)
        await turns()
        assert audio(events) == 2
        utterance.hold(False)
        await eventually(lambda: isinstance(events[-1], Done))
        assert audio(events) == 50
        await one.close()

    asyncio.run(scenario())


def test_a_cancel_in_the_midst_of_a_turn_is_silent() -> None:
    """No event follows it."""

    async def scenario() -> None:
        one = FakeEngine(OPTIONS)
        events: list[Event] = []

        utterance = one.open(Open("u", "default"), at_the_second_hop(events, lambda: utterance.cancel()))
        utterance.feed(TEXT)
        await eventually(lambda: audio(events) == 2)
        await turns()
        assert audio(events) == 2 and one.live == 0
        await one.close()

    asyncio.run(scenario())


def test_a_flush_in_the_midst_of_a_turn_is_answered_behind_its_sound() -> None:
    """Neither the turn's end nor the text behind it is waited for."""

    async def scenario() -> None:
        one = FakeEngine(OPTIONS)
        events: list[Event] = []
        utterance = one.open(Open("u", "default"), events.append)
        utterance.feed(TEXT[:1])
        utterance.flush("f")
        utterance.feed(TEXT[:1])
        await eventually(lambda: audio(events) == 100)
        (at,) = [i for i, e in enumerate(events) if isinstance(e, Flushed)]
        assert audio(events[:at]) == 50
        await one.close()

    asyncio.run(scenario())


def test_a_bounded_turn_ends_at_the_lead(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn makes no more than the listener may have ahead."""
    monkeypatch.setattr(fake, "time", SimpleNamespace(monotonic=lambda: 100.0))

    async def scenario() -> None:
        one = FakeEngine(OPTIONS)
        events: list[Event] = []
        utterance = one.open(Open("u", "default", max_lead_s=0.1), events.append)
        utterance.feed(TEXT)
        await eventually(lambda: audio(events) > 0)
        await turns()
        assert audio(events) == 2  # 0.12 s, the second beyond the bound
        await one.close()

    asyncio.run(scenario())


def test_work_is_on_a_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hop that came late makes none behind it late; after a pause for want of text time is counted anew."""
    now_s = 100.0
    delays_s: list[float] = []
    events: list[Event] = []

    async def scenario() -> None:
        nonlocal now_s
        loop = asyncio.get_running_loop()

        def call_later(delay_s: float, step: Callable[[], None]) -> asyncio.Handle:
            nonlocal now_s
            delays_s.append(round(delay_s, 6))
            now_s += delay_s + 0.01  # later than asked for
            return loop.call_soon(step)

        monkeypatch.setattr(fake, "time", SimpleNamespace(monotonic=lambda: now_s))
        monkeypatch.setattr(loop, "call_later", call_later)
        one = FakeEngine(FakeOptions(realtime_factor=1.0, hop_s=0.06))
        utterance = one.open(Open("u", "default"), events.append)
        utterance.feed([Segment([7] * 3, 0, True)])
        await turns()
        now_s += 1.0
        utterance.feed([Segment([7], 0, True)])
        await turns()
        await one.close()

    asyncio.run(scenario())
    assert audio(events) == 4 and delays_s == [0.06, 0.05, 0.05, 0.06]
