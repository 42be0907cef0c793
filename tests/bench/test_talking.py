"""One turn against the real application with the tone engine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from bench.load.calls.plan import PlannedTurn
from bench.load.calls.talking import Heard, speak_turn
from rtclient import connect
from rtserver.engine.fake import FakeEngine
from rtserver.session.effects import HangUp
from tests.bench.engines import FailingEngine, at_once, unhurried
from tests.bench.loads import call, planned
from tests.rtserver.serving import eventually, served

LONG = planned("Nobody expected the small team to win the game.")


def speak(turn: PlannedTurn, engine: Callable[[], FakeEngine] = at_once) -> tuple[Heard, float, list[float]]:
    """What became of a turn, when its listener is free (0: before the server started), and its frames' seconds."""
    frames: list[float] = []

    async def scenario() -> tuple[Heard, float]:
        heard = Heard(0, 0, "en", "default", turn.expected_s)
        async with served(engine()) as server, connect(server.url) as session:
            return heard, await speak_turn(session, call(turn), turn, heard, lambda seconds, _: frames.append(seconds))

    before_s = time.monotonic()
    heard, free_s = asyncio.run(scenario())
    return heard, free_s - before_s, frames


def test_a_turn_that_is_spoken_to_its_end() -> None:
    """Its sound is counted, its times are those of the first frame, and the listener is free when it has heard all."""
    heard, free_s, frames = speak(LONG)
    assert heard.outcome == "done" and heard.audio_s == pytest.approx(sum(frames)) and heard.audio_s > 2
    assert heard.ttfa_s is not None and heard.ttfa_request_s is not None
    assert 0 < heard.ttfa_s <= heard.ttfa_request_s < free_s - heard.audio_s
    assert heard.timings["ttfa_from_text"] <= heard.ttfa_s * 1000 and heard.continuous
    assert heard.cancel_s is None and heard.wasted_s is None and heard.unheard_s is None


def test_a_turn_that_is_interrupted_while_it_is_spoken() -> None:
    """The cancel is answered, what the listener had not heard is wasted, and it is free at once."""
    turn = planned(LONG.text, barge_in=0.1)
    heard, *_ = speak(turn, unhurried)
    assert heard.outcome == "cancelled" and heard.cancel_s is not None and heard.cancel_s > 0
    assert 0 < heard.audio_s < turn.expected_s / 2
    assert heard.wasted_s is not None and 0 <= heard.wasted_s <= heard.audio_s
    assert heard.continuous and heard.unheard_s is None


def test_an_interruption_after_all_was_sent() -> None:
    """Nothing is left to cancel; what the listener does not hear any more is told apart."""
    turn = planned("It is free.", barge_in=0.1)
    heard, *_ = speak(turn)
    assert heard.outcome == "done" and heard.cancel_s is None and heard.wasted_s is None
    assert heard.unheard_s == pytest.approx(heard.audio_s - turn.wanted_s, abs=0.05)


def test_a_refusal_is_told_apart_from_a_failure() -> None:
    """By its code, with the time it took; it is no failure of continuity."""
    heard, *_ = speak(LONG, lambda: FailingEngine("overloaded", times=1))
    assert heard.outcome == "refused" and not heard.accepted and heard.answer_s is not None and heard.ttfa_s is None
    assert heard.error == "overloaded: as the test asks"
    heard, *_ = speak(LONG, lambda: FailingEngine("internal", times=1))
    assert heard.outcome == "failed" and heard.accepted and not heard.continuous and not heard.lost


def test_a_turn_that_is_cut_says_how_long_it_waited() -> None:
    """A turn that never sounded has waited up to the cut, and its speech is cancelled at the server."""

    async def scenario() -> None:
        held = PlannedTurn("Yes.", (60.0,), seed=1, think_s=0.0)
        heard = Heard(0, 0, "en", "default", held.expected_s)
        async with served(at_once()) as server, connect(server.url) as session:
            (connection,) = server.app.connections
            speaking = asyncio.create_task(speak_turn(session, call(held), held, heard, lambda *_: None))
            await eventually(lambda: connection.live == 1)
            speaking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await speaking
            await eventually(lambda: connection.live == 0)
        assert heard.outcome == "cut" and heard.ttfa_s is not None and heard.ttfa_s > 0
        assert heard.audio_s == 0 and not heard.continuous and heard.wasted_s is None

    asyncio.run(scenario())


def test_a_lost_connection_is_a_failure_of_its_own_kind() -> None:
    """A talker must connect again after it."""

    async def scenario() -> None:
        heard = Heard(0, 0, "en", "default", LONG.expected_s)
        async with served(unhurried()) as server, connect(server.url) as session:
            sounding = asyncio.Event()
            speaking = asyncio.create_task(speak_turn(session, call(LONG), LONG, heard, lambda *_: sounding.set()))
            await sounding.wait()
            (connection,) = server.app.connections
            connection.do(lambda session, now_s: [HangUp(1001, "test")])
            await speaking
        assert heard.outcome == "failed" and heard.lost and heard.audio_s > 0 and not heard.continuous

    asyncio.run(scenario())


def test_a_row_is_short() -> None:
    """What was not measured is not there, zeros are."""
    row = Heard(0, 0, "en", "default", 1.23456).row()
    assert row["call"] == 0 and row["expected_s"] == 1.2346 and row["audio_s"] == 0.0
    assert not {"ttfa_s", "error", "timings", "lost"} & row.keys()
