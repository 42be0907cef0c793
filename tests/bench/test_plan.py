"""Loads as they are drawn."""

from __future__ import annotations

import itertools
import random
import statistics
from dataclasses import replace

import pytest

from bench.load.calls.plan import Plan, PlannedTurn, Workload, closed_loop, draw_turn, open_loop
from rtclient.pieces import llm_pieces
from tests.bench.loads import VOICES, call, planned

WORKLOAD = Workload(warm_up_s=10.0, seconds=600.0)


def turns_of(plan: Plan) -> list[PlannedTurn]:
    return [turn for call in plan.calls for turn in call.turns]


def test_the_same_seed_is_the_same_load() -> None:
    """Another seed, or another rate, is another."""
    plan = open_loop(WORKLOAD, 20, VOICES)
    assert open_loop(WORKLOAD, 20, VOICES) == plan and open_loop(WORKLOAD, 20, VOICES).digest == plan.digest
    others = [open_loop(replace(WORKLOAD, seed=1), 20, VOICES), open_loop(WORKLOAD, 21, VOICES)]
    assert len({plan.digest, *(other.digest for other in others)}) == 3


def test_calls_come_at_the_rate_asked_for() -> None:
    """Within what chance allows; their gaps are as uneven as Poisson's."""
    workload = replace(WORKLOAD, turns_per_call=(1, 1))
    at_s = [call.at_s for call in open_loop(workload, 60, VOICES).calls]
    assert len(at_s) == pytest.approx(610, abs=80) and at_s[0] >= 0 and at_s == sorted(at_s) and at_s[-1] < 610
    gaps_s = [b - a for a, b in itertools.pairwise(at_s)]
    assert statistics.pstdev(gaps_s) == pytest.approx(statistics.mean(gaps_s), rel=0.2)


def test_calls_are_under_way_at_the_beginning() -> None:
    """The first minute offers as much as the tenth, though calls last for minutes."""
    workload = Workload(turns_per_call=(10, 10), warm_up_s=0.0, seconds=600.0)
    plan = open_loop(workload, 120, VOICES)
    assert any(len(call.turns) < 10 for call in plan.calls)
    first, last = (sum(at_s // 60 == minute for call in plan.calls for at_s, _ in call.timeline()) for minute in (0, 9))
    assert first == pytest.approx(last, rel=0.15)


def test_talkers_have_turns_up_to_the_end() -> None:
    """One call each, whose last turn begins near the end; both languages as often."""
    plan = closed_loop(Workload(warm_up_s=5.0, seconds=100.0), 4, VOICES)
    assert sorted(talker.language for talker in plan.calls) == ["en", "en", "zh", "zh"]
    assert len(plan.calls) == 4 and all(0 <= call.at_s <= 4 for call in plan.calls)
    for talker in plan.calls:
        last_s, last = list(talker.timeline())[-1]
        assert last_s < 105 <= last_s + last.takes_s


def test_calls_speak_with_voices_of_their_language() -> None:
    """Every voice of the list, both languages."""
    calls = open_loop(WORKLOAD, 60, VOICES).calls
    assert {(call.language, call.voice) for call in calls} == {("en", "alice"), ("en", "bob"), ("zh", "mei")}
    assert all(call.turns[0].text.isascii() == (call.language == "en") for call in calls)


def test_text_comes_at_the_rate_asked_for() -> None:
    """The mean gap is that of the rate whatever the jitter; the first piece comes at once."""
    for jitter in (0.0, 0.6, 1.0):
        workload = replace(WORKLOAD, tokens_per_s=10.0, jitter=jitter)
        turns = turns_of(open_loop(workload, 120, VOICES))
        assert all(turn.gaps_s[0] == 0.0 and turn.pieces[0][0] == 0.0 for turn in turns)
        gaps_s = [gap for turn in turns for gap in turn.gaps_s[1:]]
        assert statistics.mean(gaps_s) == pytest.approx(0.1, rel=0.05)
        assert (statistics.pstdev(gaps_s) < 1e-9) == (jitter == 0.0)


def test_the_pieces_are_the_text() -> None:
    """In order, at rising times."""
    for turn in turns_of(open_loop(WORKLOAD, 10, VOICES)):
        assert [piece for _, piece in turn.pieces] == list(llm_pieces(turn.text))
        times_s = [at_s for at_s, _ in turn.pieces]
        assert times_s == sorted(times_s) and times_s[-1] == pytest.approx(sum(turn.gaps_s))


def test_the_share_asked_for_is_interrupted_anywhere() -> None:
    """At parts of the expected length that are spread over all of it."""
    assert all(turn.barge_in is None for turn in turns_of(open_loop(WORKLOAD, 60, VOICES)))
    turns = turns_of(open_loop(replace(WORKLOAD, barge_in=0.3), 60, VOICES))
    parts = [turn.barge_in for turn in turns if turn.barge_in is not None]
    assert len(parts) / len(turns) == pytest.approx(0.3, abs=0.05)
    assert 0 <= min(parts) < 0.05 and 0.95 < max(parts) <= 1 and statistics.mean(parts) == pytest.approx(0.5, abs=0.05)


def test_interruptions_change_nothing_else() -> None:
    """With and without them, texts, gaps and think times are the same."""
    for seed in range(50):
        some, none = (draw_turn(random.Random(seed), replace(WORKLOAD, barge_in=p), "en") for p in (0.5, 0.0))
        assert replace(some, barge_in=None) == none


def test_the_offered_load_counts_what_listeners_want_within_the_window() -> None:
    """Turns before and after it do not count, of interrupted ones only the part that is heard."""
    whole, part = planned(think_s=1.0), planned(barge_in=0.5)
    workload = Workload(warm_up_s=10.0, seconds=20.0)
    calls = (call(whole, at_s=9.0), call(whole, at_s=10.0), call(part, at_s=15.0), call(whole, at_s=30.0))
    plan = Plan("open", 1.0, workload, calls)
    assert plan.offered() == pytest.approx(1.5 * whole.expected_s / 20)
    assert plan.offered({"en": 2.0}) == pytest.approx(3 * whole.expected_s / 20)


def test_a_turn_begins_when_the_one_before_was_heard_and_thought_about() -> None:
    """Or, when text comes slower than it is spoken, when that was written."""
    turn = planned(think_s=2.0)
    assert [at_s for at_s, _ in call(turn, turn, at_s=5.0).timeline()] == [5.0, 5.0 + turn.expected_s + 2.0]
    slow = replace(turn, gaps_s=tuple(10.0 for _ in turn.gaps_s))
    assert slow.takes_s == 10.0 * len(turn.gaps_s) + 2.0
