"""Who may speak: places, first sounds, memory, conversations, tenants."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtserver.schedule.admission import RETRY_MAX_S, RETRY_MIN_S, WANTS_S, Admission, AdmissionLimits
from rtserver.schedule.capacity import Figures

# A hop of a second takes .1625 s: streams may be promised 6.15 places, which is four that begin (1.5 places each).
FIGURES = Figures([0.1625, 0.325, 0.65], 1.0, 0.15, 0.2, streams_in_memory=30)
# Five places.
FIVE = replace(FIGURES, hops_s=[0.194, 0.388, 0.776])


def admission(figures: Figures | None = FIGURES, **limits: float | bool) -> Admission:
    """Of a device that has said what it can do."""
    return Admission(replace(AdmissionLimits(), **limits), lambda: figures)  # type: ignore[arg-type]


def reasons(made: Admission, count: int, *, tenant: str = "", now_s: float = 0.0, first: int = 0) -> list[str]:
    """What so many newcomers hear that all begin to speak."""
    answers: list[str] = []
    for i in range(first, first + count):
        refusal = made.admit(f"u{i}", tenant, "realtime", now_s)
        made.begun(f"u{i}")
        answers.append("" if refusal is None else refusal.reason)
    return answers


def test_streams_are_taken_while_the_device_keeps_up() -> None:
    """A second of work a second is four streams that begin; the fifth is refused until one is over."""
    made = admission()
    assert reasons(made, 5) == ["", "", "", "", "capacity"]
    assert made.live("realtime") == 4 and made.refusals["capacity"] == 1
    made.over("u2", 3.0)
    made.over("u2", 3.0)
    assert reasons(made, 2, now_s=3.0, first=10) == ["", "capacity"]


def test_slack_stands_for_places_as_far_as_the_device_goes() -> None:
    """Of streams of .28 s a machine takes two that begin; where listeners have seconds left it takes a third and a
    fourth, which fill it, and never a fifth."""
    busy = replace(FIGURES, hops_s=[0.282])
    assert reasons(admission(busy), 3) == [""] * 2 + ["capacity"]
    assert reasons(admission(replace(busy, slack_s=[2.0, 2.0])), 4) == [""] * 3 + ["capacity"]
    assert reasons(admission(replace(busy, slack_s=[9.0] * 4)), 5) == [""] * 4 + ["capacity"]


def test_a_slow_machine_takes_one_stream_all_the_same() -> None:
    """Better late than never: without others to disturb it is spoken."""
    made = admission(replace(FIGURES, hops_s=[3.0], first_hop_s=2.0))
    assert reasons(made, 2) == ["", "capacity"]


def test_a_newcomer_that_would_be_late_is_refused() -> None:
    """Three others wait for first sounds of a second each: the fourth would be heard after more than three."""
    made = admission(replace(FIGURES, first_hop_s=1.0))
    taken = [made.admit(f"u{i}", "", "realtime", 0.0) for i in range(3)]
    refusal = taken[-1]
    assert taken[:2] == [None, None] and refusal is not None and refusal.reason == "ttfa"
    made.begun("u0")
    assert made.admit("u4", "", "realtime", 1.0) is None


def test_without_memory_there_is_no_place() -> None:
    """Also for the first: it would be cut off in the middle."""
    assert reasons(admission(replace(FIGURES, streams_in_memory=0)), 1) == ["memory"]


def test_batch_work_takes_no_place() -> None:
    """It takes what realtime leaves, and has a bound of its own: no amount of it locks realtime speech out."""
    made = admission(max_streams=4, max_batch=3)
    refusals = [made.admit(f"b{i}", "dubbing", "batch", 0.0) for i in range(4)]
    assert [refusal and refusal.reason for refusal in refusals] == [None, None, None, "batch"]
    assert made.demand == 0.0 and made.live("batch") == 3
    assert reasons(made, 5) == ["", "", "", "", "streams"]
    made.over("b0", 1.0)
    assert made.admit("b5", "dubbing", "batch", 1.0) is None


def test_who_is_refused_batch_work_waits_for_no_place() -> None:
    """So no realtime place is kept for it: another tenant may take the last one."""
    made = admission(max_batch=1)
    for name in ("b0", "b1"):
        made.admit(name, "dubbing", "batch", 0.0)
    assert reasons(made, 4) == [""] * 4


def test_nothing_is_refused_before_the_device_has_spoken_or_when_told_not_to() -> None:
    """But for the bound on all that is open."""
    assert reasons(admission(None, max_streams=8), 9) == [""] * 8 + ["streams"]
    assert reasons(admission(enabled=False, max_streams=8), 9) == [""] * 8 + ["streams"]


def test_the_hint_tells_about_when_a_place_becomes_free() -> None:
    """Four streams that are made in about eight seconds each: one ends every two."""
    made = admission()
    for _ in range(100):
        made.admit("u", "", "realtime", 0.0)
        made.over("u", 8.0)
    assert reasons(made, 4) == [""] * 4
    refusal = made.admit("late", "", "realtime", 0.0)
    assert refusal is not None and refusal.retry_after_s == pytest.approx(2.0, rel=0.01)
    assert RETRY_MIN_S <= refusal.retry_after_s <= RETRY_MAX_S


def test_a_conversation_keeps_its_place_while_it_is_silent() -> None:
    """It can always speak, one utterance at a time; others get what is left."""
    made = admission()
    assert made.reserve("r", "", 1.0, 0.0) is None
    assert reasons(made, 4) == ["", "", "", "capacity"]
    assert made.admit("mine", "", "realtime", 0.0, "r") is None
    second = made.admit("mine too", "", "realtime", 0.0, "r")
    assert second is not None and second.reason == "capacity"
    made.over("mine", 1.0)
    made.unreserve("r")
    assert reasons(made, 1, first=20) == [""]


def test_conversations_are_priced_by_how_much_they_speak() -> None:
    """Five places hold five that speak half of the time (they might all speak at once), and many that rarely do."""
    half, rare = admission(FIVE), admission(FIVE)
    assert sum(half.reserve(f"r{i}", "", 0.5, 0.0) is None for i in range(20)) == 5
    assert sum(rare.reserve(f"r{i}", "", 0.05, 0.0) is None for i in range(50)) == 44
    refusal = half.reserve("more", "", 0.5, 0.0)
    assert refusal is not None and "50%" in refusal.text


def test_conversations_that_speak_more_than_they_said_are_no_way_past_admission() -> None:
    """Ten say that they speak 5 % of the time, and all speak at once: those that were to be expected are taken, and
    others as far as there is room."""
    made = admission()
    for number in range(10):
        assert made.reserve(f"r{number}", "", 0.05, 0.0) is None
    refusals = [made.admit(f"u{number}", "", "realtime", 0.0, f"r{number}") for number in range(10)]
    taken = refusals.count(None)
    assert 2 <= taken <= FIGURES.streams and made.demand <= FIGURES.streams
    assert {refusal.reason for refusal in refusals if refusal is not None} <= {"capacity", "ttfa"}


def test_an_idle_conversation_leaves_its_place_to_others() -> None:
    """Nothing was spoken for long: a newcomer is taken. When it speaks again it has its place again if there is one."""
    made = admission(FIVE, reservation_idle_s=10.0)
    for name in ("r1", "r2", "r3", "r4"):
        assert made.reserve(name, "", 1.0, 0.0) is None
    assert reasons(made, 1) == ["capacity"]
    assert reasons(made, 3, now_s=11.0, first=10) == [""] * 3
    assert made.admit("mine", "", "realtime", 12.0, "r1") is None and made.demand == 4.0
    assert made.admit("the other", "", "realtime", 12.0, "r2") is None and made.demand == 5.0
    refused = made.admit("another", "", "realtime", 12.0, "r3")
    assert refused is not None and refused.reason == "capacity"


def test_what_waits_for_text_takes_no_place() -> None:
    """All places are idle: newcomers are taken, also beyond max_streams."""
    made = admission(max_streams=4)
    assert reasons(made, 4) == [""] * 4
    for number in range(4):
        made.rest(f"u{number}", 5.0)
        made.rest(f"u{number}", 6.0)
    assert made.demand == 0.0 and reasons(made, 4, now_s=6.0, first=10) == [""] * 4


def test_one_that_has_not_spoken_comes_back_like_a_newcomer() -> None:
    """It takes a place if there is one, else it is refused."""
    made = admission()
    made.admit("idle", "", "realtime", 0.0)
    made.rest("idle", 5.0)
    reasons(made, 4)
    refusal = made.come_back("idle", 6.0, waits=False)
    assert refusal is not None and refusal.reason == "capacity"
    made.over("u0", 7.0)
    assert made.come_back("idle", 7.0, waits=False) is None and made.demand == 4.0


def test_one_that_is_heard_comes_back_before_newcomers() -> None:
    """The device is full: it waits, and the next place is its own, not a newcomer's. Waiting is no refusal."""
    made = admission(replace(FIGURES, slack_s=[9.0] * 7))
    made.admit("heard", "", "realtime", 0.0)
    made.begun("heard")
    made.rest("heard", 5.0)
    assert reasons(made, 7, first=10) == [""] * 7
    refusals = made.refusals.copy()
    assert made.come_back("heard", 6.0, waits=True) is not None and made.refusals == refusals
    made.over("u10", 7.0)
    assert reasons(made, 1, now_s=7.0, first=30) == ["capacity"]
    assert made.come_back("heard", 7.0, waits=True) is None
    made.over("u11", 8.0)
    assert reasons(made, 1, now_s=8.0, first=40) == [""]


def test_the_time_of_rest_is_no_time_of_work() -> None:
    """The hint when to try again tells how long streams are made."""
    made = admission()
    for _ in range(100):
        made.admit("u", "", "realtime", 0.0)
        made.rest("u", 4.0)
        assert made.come_back("u", 1000.0, waits=False) is None
        made.over("u", 1004.0)
    reasons(made, 4)
    refusal = made.admit("late", "", "realtime", 0.0)
    assert refusal is not None and refusal.retry_after_s == pytest.approx(1.0, rel=0.01)


def test_a_tenant_beyond_its_share_leaves_the_last_place_to_one_that_waits() -> None:
    """Who was refused lately is waited for; after WANTS_S nobody is."""
    made = admission()
    assert reasons(made, 4, tenant="greedy") == [""] * 4
    assert reasons(made, 1, tenant="modest", first=4) == ["capacity"]
    made.over("u0", 1.0)
    assert reasons(made, 1, tenant="greedy", now_s=1.0, first=10) == ["tenant"]
    assert reasons(made, 1, tenant="modest", now_s=1.0, first=20) == [""]
    made.over("u1", 2.0)
    assert reasons(made, 1, tenant="greedy", now_s=2.0, first=30) == [""]
    made.over("u2", 30.0)
    assert reasons(made, 1, tenant="greedy", now_s=30.0 + WANTS_S, first=40) == [""]


calls = st.lists(
    st.tuples(st.sampled_from(["open", "begin", "over", "reserve", "unreserve"]), st.integers(0, 9)), max_size=60
)


@given(calls=calls)
def test_places_are_never_promised_twice_and_all_come_back(calls: list[tuple[str, int]]) -> None:
    """Whatever happens in whatever order: taken and promised places stay within the device's, a reserved utterance is
    never refused, and when all is over nothing is held."""
    made = admission()
    for now_s, (what, i) in enumerate(calls):
        reservation = f"r{i}" if i < 3 else ""
        if what == "open":
            first = made.demand
            refusal = made.admit(f"u{i}-{now_s}", f"t{i % 2}", "realtime", now_s, reservation)
            assert refusal is not None or made.demand <= max(FIGURES.streams, first)
        elif what == "begin":
            made.begun(f"u{i}-{now_s - 1}")
        elif what == "over":
            for earlier in range(now_s):
                made.over(f"u{i}-{earlier}", now_s)
        elif what == "reserve" and made.reserve(f"r{i}", "", 0.3, now_s) is None:
            assert made.demand <= FIGURES.streams
        elif what == "unreserve":
            for earlier in range(now_s):  # a conversation ends with its utterances
                made.over(f"u{i}-{earlier}", now_s)
            made.unreserve(f"r{i}")
    for i in range(10):
        for earlier in range(len(calls)):
            made.over(f"u{i}-{earlier}", 1000.0)
        made.unreserve(f"r{i}")
    assert made.demand == 0.0 and made.live("realtime") == 0
