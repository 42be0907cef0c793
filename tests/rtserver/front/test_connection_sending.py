"""What a connection hands out to be sent, and when it has nothing more to say."""

from __future__ import annotations

import asyncio

import pytest

from rtserver.engine.fake import FakeEngine, FakeOptions
from rtserver.ipc.engine import Audio
from rtserver.messages import wire
from rtserver.session.effects import Send
from rtserver.session.limits import SessionLimits
from tests.rtserver.front.driven import LONG, driven
from tests.virtual_time import run_in_virtual_time


def test_sound_that_waits_together_is_taken_together() -> None:
    """The frames of a stream that are next, up to the bound; all of it counts as sent."""

    async def scenario() -> None:
        async with driven() as d:
            d.start(text=LONG, end=True, class_="batch")
            await d.until_held()
            assert isinstance(await d.next(), wire.Started)
            while d.connection.next_sound is None:
                assert d.connection.take_sound(30_000) == []
                assert isinstance(await d.next(), wire.Mark)
            frames = d.connection.take_sound(20_000)
            assert [len(f.data) // 48 for f in frames] == [40, 80, 120, 160]
            d.connection.receive(wire.Cancel("a"))
            cancelled = await d.next()
            assert isinstance(cancelled, wire.Cancelled) and cancelled.sent_ms == 400

    asyncio.run(scenario())


def test_sound_is_offered_before_a_waiting_taker_wakes() -> None:
    """In a turn after the one it came in, all at once; what is left of it, and all else, goes to the taker."""
    offered: list[list[int]] = []

    async def scenario() -> None:
        async with driven(FakeEngine(FakeOptions(realtime_factor=0.0, hop_s=0.12, hops_a_turn=3))) as d:

            def take_two() -> None:
                offered.append([f.seq for f in d.connection.take_sound((40 + 80) * 48)])

            d.start(class_="batch", marks=False)
            assert isinstance(await d.next(), wire.Started)
            d.connection.offer_sound(take_two)
            waiting = asyncio.ensure_future(d.next())
            await asyncio.sleep(0)
            d.connection.receive(wire.Text("words ", "a"))
            assert offered == []
            item = await waiting
            assert isinstance(item, wire.Audio) and item.seq == 2 and offered == [[0, 1]]
            d.connection.receive(wire.Cancel("a"))
            cancelled = await d.next()
            assert isinstance(cancelled, wire.Cancelled) and cancelled.sent_ms == 240

    asyncio.run(scenario())


def test_what_is_cancelled_in_the_same_turn_is_not_offered() -> None:
    """Sound that was about to be taken is taken back."""
    offered: list[int] = []

    async def scenario() -> None:
        async with driven() as d:
            d.connection.offer_sound(lambda: offered.append(len(d.connection.take_sound(1 << 20))))
            d.start(text="one")
            assert isinstance(await d.next(), wire.Started)
            waiting = asyncio.ensure_future(d.next())
            await asyncio.sleep(0)
            sound = Audio("u_1", bytes(4800), 0.0, 0)
            d.connection.do(lambda session, now_s: [Send(message) for message in session.audio(1, sound, now_s)])
            assert d.connection.waiting_bytes > 4800
            d.connection.receive(wire.Cancel("a"))
            cancelled = await waiting
            assert isinstance(cancelled, wire.Cancelled) and cancelled.sent_ms == 0 and set(offered) == {0}

    asyncio.run(scenario())


def test_sound_of_what_is_over_goes_nowhere() -> None:
    """An event that was on its way when its context ended says nothing."""

    async def scenario() -> None:
        async with driven() as d:
            sound = Audio("u_1", bytes(4800), 0.0, 0)
            d.start("a", text="one ")
            assert [type(m) for m in d.connection.session.audio(1, sound, 0.0)] == [wire.Audio, wire.Audio]
            d.connection.receive(wire.Cancel("a"))
            assert d.connection.session.audio(1, sound, 0.0) == []

    asyncio.run(scenario())


def test_a_wait_that_was_given_up_loses_nothing() -> None:
    """Who waits may be cancelled; the next one gets what came meanwhile."""

    async def scenario() -> None:
        async with driven() as d:
            waiting = asyncio.ensure_future(d.connection.next_item())
            await asyncio.sleep(0)
            waiting.cancel()
            d.connection.receive(wire.Ping("p"))
            await asyncio.wait([waiting])
            assert waiting.cancelled()
            d.connection.receive(wire.Ping("q"))
            assert [await d.next(), await d.next()] == [wire.Pong("p"), wire.Pong("q")]

    asyncio.run(scenario())


def test_speech_and_messages_put_off_the_end_of_an_idle_connection() -> None:
    """It is counted anew from the last of them: neither context nor ping is cut by a timer that stood before."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        async with driven(limits=SessionLimits(idle_s=1.5), clock=loop.time) as d:
            await asyncio.sleep(1)
            d.start("a", text="one ")
            await d.until(wire.Audio)
            await asyncio.sleep(2)
            d.connection.receive(wire.Cancel("a"))
            assert isinstance(await d.until(wire.Cancelled), wire.Cancelled)
            await asyncio.sleep(1)
            d.connection.receive(wire.Ping())
            pinged_s = loop.time()
            assert isinstance(await d.next(), wire.Pong)
            assert isinstance(await d.next(), wire.Error) and loop.time() - pinged_s == pytest.approx(1.5)

    run_in_virtual_time(scenario())
