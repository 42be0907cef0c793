"""How a connection stops work whose sound is not taken."""

from __future__ import annotations

import asyncio

import pytest

from rtserver.engine.fake import FakeUtterance
from rtserver.front.connection import HOLD_ABOVE_BYTES, RELEASE_BELOW_BYTES
from rtserver.messages import wire
from rtserver.schedule.admission import AdmissionLimits
from tests.rtserver.front.driven import LONG, driven, let_others_run

HOP_BYTES = 24_000  # what the tone engine gives at once


@pytest.fixture
def holds(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """What the engine is told of holding: utterance and on."""
    told: list[tuple[str, bool]] = []
    hold = FakeUtterance.hold

    def recorded(self: FakeUtterance, on: bool) -> None:
        told.append((self._request.utterance, on))
        hold(self, on)

    monkeypatch.setattr(FakeUtterance, "hold", recorded)
    return told


def test_work_is_held_while_sound_is_not_taken(holds: list[tuple[str, bool]]) -> None:
    """Above the bound the engine stops, at most a piece beyond it; once little waits it goes on to the end."""

    async def scenario() -> None:
        async with driven() as d:
            d.start(text=LONG, end=True, class_="batch")
            await d.until_held()
            assert holds == [("u_1", True)]
            await let_others_run()
            waiting = d.connection.waiting_bytes
            assert HOLD_ABOVE_BYTES < waiting < HOLD_ABOVE_BYTES + 2 * HOP_BYTES
            while d.connection.waiting_bytes >= RELEASE_BELOW_BYTES:
                assert holds == [("u_1", True)]
                await d.next()
            done = await d.until(wire.Done)
            assert isinstance(done, wire.Done) and done.audio_ms == len(d.sound()) // 48 == 48_000
            assert holds == [("u_1", True), ("u_1", False)]

    asyncio.run(scenario())


def test_all_contexts_of_a_socket_are_held_and_so_is_one_opened_meanwhile(holds: list[tuple[str, bool]]) -> None:
    """What waits is counted for the socket as a whole."""

    async def scenario() -> None:
        async with driven() as d:
            d.start("quiet")
            d.start("loud", text=LONG, end=True, class_="batch")
            await d.until_held()
            assert holds == [("u_1", True), ("u_2", True)]
            d.start("late", text="hi", end=True)
            assert holds[2:] == [("u_3", True)]
            while len(holds) == 3:
                await d.next()
            assert holds[3:] == [("u_1", False), ("u_2", False), ("u_3", False)]

    asyncio.run(scenario())


def test_a_cancel_lets_go_what_was_held(holds: list[tuple[str, bool]]) -> None:
    """When the sound that waited is taken back, the other contexts go on."""

    async def scenario() -> None:
        async with driven() as d:
            d.start("other")
            d.start("loud", text=LONG, end=True, class_="batch")
            await d.until_held()
            d.connection.receive(wire.Cancel("loud"))
            assert d.connection.waiting_bytes < RELEASE_BELOW_BYTES
            await d.until(wire.Cancelled)
            assert holds == [("u_1", True), ("u_2", True), ("u_1", False)]

    asyncio.run(scenario())


def test_a_context_whose_place_is_gone_fails_when_the_work_goes_on_and_the_others_go_on() -> None:
    """While it was held another one took the only place."""

    async def scenario() -> None:
        async with driven(admission=AdmissionLimits(max_streams=1, place_idle_s=0.0)) as d:
            d.start("quiet")
            d.start("loud", text=LONG, end=True, class_="batch")
            await d.until_held()
            await let_others_run()
            d.start("other", text="hi", end=True)
            error = await d.until(wire.Error)
            assert isinstance(error, wire.Error) and (error.code, error.context) == ("overloaded", "quiet")
            done = {
                item.context
                for item in (await d.until(wire.Done), await d.until(wire.Done))
                if isinstance(item, wire.Done)
            }
            assert done == {"loud", "other"}

    asyncio.run(scenario())
