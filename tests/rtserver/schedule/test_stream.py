"""One utterance's stream in numbers: what it asks for, what it predicts, and when it is over."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtserver.schedule.delivery import Sound
from rtserver.schedule.hops import HopPlan
from rtserver.schedule.pace import Pace
from rtserver.schedule.standing import TTFA_TARGET_S, Terms
from rtserver.schedule.stream import SpeechStream
from rtserver.schedule.waits import (
    DUE_SHARE_ALONE,
    FIRST_TEXT_PATIENCE_S,
    HUNGRY_BEFORE_S,
    LONGEST_HOLD_S,
    SLOW_FIRST_SOUND_S,
    STARVATION_MARGIN_S,
    Asked,
)
from rtserver.schedule.writer import Writer
from tests.rtserver.schedule.streams import Scripted, Sequenced, Work, begin, costs, speak, stream

# -- hops -------------------------------------------------------------------------------------------------------------


def test_a_hop_begins_when_its_tokens_and_the_look_ahead_are_there() -> None:
    """The first one is short, the others are whole chunks."""
    speech = Scripted()
    made = stream(speech)
    speech.say(14)
    assert not made.can_hop and made.next_hop() is None
    speech.say(1)
    assert made.next_hop() == HopPlan(0, 0, 12, False)
    speak(made, 11.0)
    speech.say(24)  # 39 in all: 12 are out, 27 wait
    assert made.next_hop() is None
    speech.say(1)
    assert made.next_hop() == HopPlan(0, 12, 25, False)


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [(1, [(1, True)]), (15, [(15, True)]), (16, [(12, False), (4, True)]), (41, [(12, False), (25, False), (4, True)])],
)
def test_the_last_hop_takes_the_look_ahead_along(tokens: int, expected: list[tuple[int, bool]]) -> None:
    """What is left after a hop is not made a hop of its own if it is no longer than the look-ahead."""
    speech = Scripted(ended=True)
    speech.say(tokens, complete=True)
    made, hops = stream(speech), []
    while (hop := made.next_hop()) is not None:
        hops.append((hop.tokens, hop.final))
        speak(made, 11.0)
    assert hops == expected and made.voiced


@given(st.lists(st.integers(0, 90), min_size=1, max_size=5))
def test_every_token_becomes_sound_once(sequences: list[int]) -> None:
    """In order, sequence after sequence; every sequence ends with its last hop, and one without tokens is passed
    over."""
    speech = Scripted([Sequenced([7] * tokens, complete=True) for tokens in sequences], ended=True)
    made = stream(speech)
    voiced = [0] * len(sequences)
    last = -1
    while (hop := made.next_hop()) is not None:
        assert hop.done == voiced[hop.sequence] and hop.sequence >= last
        voiced[hop.sequence] += hop.tokens
        last = hop.sequence
        assert hop.final == (voiced[hop.sequence] == sequences[hop.sequence])
        speak(made, 11.0)
    assert voiced == sequences and made.voiced and made.unvoiced_tokens == 0


def test_only_one_hop_is_under_way() -> None:
    """Its tokens count as unvoiced until it is done."""
    speech = Scripted()
    speech.say(60)
    made = stream(speech)
    begin(made)
    assert made.next_hop() is None and made.unvoiced_tokens == 60
    made.finish_hop()
    assert made.unvoiced_tokens == 48 and made.place == (0, 12)


def test_the_flow_computes_whole_chunks() -> None:
    """A first hop shares its chunk with the end of the prompt. A last hop has only its own frames."""
    sizes = stream(Scripted()).sizes
    assert (sizes.frames(0, 0, 12), sizes.frames(0, 12, 25), sizes.frames(0, 37, 4)) == (50, 50, 8)


def test_the_first_hop_of_a_later_sequence_may_compute_context() -> None:
    """Its cost counts the tokens before it that the flow sees again."""
    sizes = replace(stream(Scripted()).sizes, context_tokens=25)
    assert [sizes.frames(sequence, done, 12) for sequence, done in ((0, 0), (1, 0), (1, 12))] == [50, 100, 24]


def test_with_a_target_length_sound_begins_when_all_tokens_are_there() -> None:
    """Then the speed is known: 50 tokens in a second are spoken twice as fast."""
    speech = Scripted()
    speech.say(50)
    made = stream(speech, pace=Pace(1.0, 1.0))
    assert not made.can_hop and made.unvoiced_s == 0.0
    speech.spoken[0].complete = speech.ended = True
    assert made.can_hop and made.unvoiced_s == pytest.approx(1.0)


# -- the talker -------------------------------------------------------------------------------------------------------


def test_a_late_answer_of_the_talker_is_dropped() -> None:
    """Only the answer to the quantum under way counts."""
    speech = Scripted()
    made = stream(speech)
    assert made.can_sample() and not made.sampling
    first = made.quanta.sent(11.0)
    assert made.sampling and not made.can_sample() and made.quanta.under_way == first
    assert not made.quanta.accept(first + 1, [1]) and made.unvoiced_tokens == 0
    assert made.quanta.accept(first, [1, 2]) and made.unvoiced_tokens == 2
    assert not made.quanta.accept(first, [1, 2]) and made.unvoiced_tokens == 2


# -- what the scheduler sees ------------------------------------------------------------------------------------------


def test_the_first_sound_is_due_after_the_first_text() -> None:
    """Not after the opening; another target is possible."""
    made, sooner = stream(Scripted()), stream(Scripted(), terms=Terms(first_due_s=0.1))
    assert made.standing.due_s == 10.0 + TTFA_TARGET_S
    for one in (made, sooner):
        one.text(12.0)
        one.text(13.0)
    assert made.standing.due_s == 12.0 + TTFA_TARGET_S and sooner.standing.due_s == 12.1


def test_audio_ahead_is_what_the_next_hop_does_not_need() -> None:
    """20 tokens are 0.8 s of unvoiced sound; the first hop and its look-ahead take 15 of them."""
    speech = Scripted()
    speech.say(20)
    made = stream(speech)
    assert made.unvoiced_s == pytest.approx(0.8) and made.ahead_s == pytest.approx(0.2)
    speech.spoken[0].flow_tokens.clear()
    assert made.ahead_s == 0.0


def test_a_hop_costs_its_steps_and_its_sound() -> None:
    """Five steps of .02 s and .01 s of the vocoder. What is left shrinks step by step, while the cost that orders hops
    stays."""
    speech = Scripted()
    speech.say(15)
    made, known = stream(speech), costs()
    assert made.hop_cost_s(known) == made.hop_left_s(known) == pytest.approx(0.11)
    work = begin(made)
    work.step = 3
    assert made.hop_left_s(known) == pytest.approx(0.05) and made.hop_cost_s(known) == pytest.approx(0.11)
    assert made.can_sample() and made.quantum_cost_s(known) == pytest.approx(0.21)


def test_a_held_stream_may_not_work() -> None:
    """Its sound is not taken, or there is no memory for it."""
    made = stream(Scripted())
    made.hold(True)
    assert made.standing.held
    made.hold(False)
    assert not made.standing.held


def test_a_stream_is_idle_when_only_text_brings_more() -> None:
    """Not while the talker, a hop or tokens for a hop are there."""
    speech = Scripted(speechless=True, room=15)
    made = stream(speech)
    assert made.idle
    assert made.can_sample()
    number = made.quanta.sent(11.0)
    assert not made.idle
    made.quanta.accept(number, [7] * 15)
    assert not made.idle
    begin(made)
    assert not made.idle
    made.finish_hop()
    assert made.idle
    speech.speechless = False
    assert not made.idle


# -- text -------------------------------------------------------------------------------------------------------------


def test_text_to_an_idle_stream_is_what_the_first_sound_waited_for() -> None:
    """The timings say when there was enough. Text that comes again after a crash is not new."""
    made = stream(Scripted(speechless=True))
    made.text(11.0)
    made.text(12.0)
    assert made.timings.first_text == 11.0 and made.timings.enough == 12.0
    resumed = stream(Scripted(speechless=True), resumes_at=(0, 12))
    resumed.text(11.0)
    assert resumed.timings.enough is None and resumed.timings.last_text == 11.0


def test_a_flush_is_answered_when_its_sequences_are_sound() -> None:
    """One that closes nothing new is answered with the one before."""
    speech = Scripted()
    speech.say(15, complete=True)
    made = stream(speech)
    made.flush("one", 11.0)
    made.flush("two", 11.0)
    assert made.flushed() == []
    speech.spoken.append(Sequenced())
    made.flush("three", 11.0)
    speak(made, 11.0)
    assert made.flushed() == ["one", "two"] and made.flushed() == []
    speech.spoken[1].complete = True  # the talker said nothing
    assert made.flushed() == ["three"]


def test_a_starving_stream_asks_for_text_and_is_closed_in_time() -> None:
    """Before the first sound after some patience. Later so that the next sound comes before its listener runs dry."""
    speech, known = Scripted(speechless=True, starving=True), costs()
    made = stream(speech, holds=False)
    made.text(11.0)
    before = made.starvation(known)
    assert before is not None and before.close_at_s == 11.0 + FIRST_TEXT_PATIENCE_S
    assert before.ask_at_s == before.close_at_s - HUNGRY_BEFORE_S
    speech.say(15)
    assert made.starvation(known) is None  # there is a hop to make
    speak(made, 11.2)
    after = made.starvation(known)
    cost_s = 0.1 + 0.11
    dry_at_s = 11.2 + 12 / 25
    assert after is not None and after.close_at_s == pytest.approx(dry_at_s - cost_s - STARVATION_MARGIN_S)
    assert made.ask(after, 10.9) is Asked.NOTHING and made.ask(after, 11.3) is Asked.WORD
    made.starve(late=True)
    assert speech.starved == 1 and made.timings.starved_late and made.starvation(known) is None
    assert made.ask(after, 11.4) is Asked.NOTHING  # it was asked for already
    made.text(11.4)
    assert made.ask(after, 11.4) is Asked.WORD


# -- the first sound --------------------------------------------------------------------------------------------------


def test_a_first_sound_waits_for_the_second() -> None:
    """So long that the second is ready when most of the first is heard: it sounds .48 s, and the next hop takes .1 s of
    the talker and .11 s of the flow."""
    speech = Scripted()
    speech.say(15)
    made, known = stream(speech), costs()
    made.text(10.0)
    speak(made, 11.0)
    assert made.delivery.keeps_back
    made.can_sample()
    made.quanta.sent(11.0)
    assert made.release_at_s(known, 11.0, before_s=0.0) == pytest.approx(11.0 + 0.21 - 0.7 * 0.48)
    assert made.release_at_s(known, 11.0, before_s=0.4) == pytest.approx(11.0 + 0.61 - 0.7 * 0.48)
    assert made.release_at_s(known, 11.0, before_s=9.0) == 11.0 + LONGEST_HOLD_S
    assert made.release_at_s(known, 11.0, 0.0, alone=True) == pytest.approx(11.0 + 0.21 - DUE_SHARE_ALONE * 0.48)


def test_sampling_that_takes_longer_than_predicted_is_not_counted_below_zero() -> None:
    """The quantum under way is .1 s; half of it later, half is left, and later nothing."""
    speech = Scripted()
    speech.say(15)
    made, known = stream(speech), costs()
    speak(made, 11.0)
    made.can_sample()
    made.quanta.sent(11.0)
    lefts_s = [
        made.release_at_s(known, now_s, before_s=0.1) - now_s + 0.7 * 0.48 - 0.1 for now_s in (11.0, 11.05, 11.3)
    ]
    assert lefts_s == pytest.approx([0.21, 0.16, 0.11])


def test_a_first_sound_that_is_all_is_not_kept_back() -> None:
    """Nor one that a flush waits for."""
    known = costs()
    whole = Scripted(ended=True)
    whole.say(10, complete=True)
    flushed = Scripted()
    flushed.say(10, complete=True)
    more = Scripted(speechless=True, starving=True)
    more.say(15)
    made = {name: stream(s) for name, s in (("whole", whole), ("flushed", flushed), ("more", more))}
    for one in made.values():
        one.text(10.0)
        one.text(11.0)
        speak(one, 11.0)
    made["flushed"].flush("f", 11.0)
    released_s = {name: one.release_at_s(known, 11.0, before_s=1.0) for name, one in made.items()}
    assert released_s["whole"] == released_s["flushed"] == 11.0
    assert released_s["more"] > 11.0
    assert made["whole"].voiced and not made["whole"].complete
    made["whole"].delivery.release()
    assert made["whole"].complete


# -- slow writers -----------------------------------------------------------------------------------------------------


def slow_stream(ids_per_s: float, waiting_ids: int = 0) -> SpeechStream[Sound]:
    """A stream whose writer began at 10 and whose first sound was made at 11. It needs five text ids for a block of 15
    tokens, and two blocks for its second hop."""
    speech = Scripted(speechless=True, starving=True, waiting_ids=waiting_ids)
    speech.say(15)
    made = stream(speech)
    made.writer = Writer(10.0, ids_per_s)
    made.text(10.9)
    speak(made, 11.0)
    return made


def test_the_first_sound_of_a_slow_writer_waits_for_the_text_of_the_second() -> None:
    """The second hop needs the text of two blocks: ten ids, of which two are there. Compute is .1 and .11 s."""
    made, known = slow_stream(16.0, waiting_ids=2), costs()
    text_at_s = 10.9 + 8 / 16.0
    released_s = made.release_at_s(known, 11.0, before_s=0.0)
    assert released_s == pytest.approx(text_at_s + 0.21 - 0.7 * 0.48)


def test_it_does_not_wait_for_a_very_slow_writer() -> None:
    """It goes out SLOW_FIRST_SOUND_S after the first text, or when it is made if that is later; for others it may be
    kept back longer."""
    made, known = slow_stream(4.0), costs()
    assert made.release_at_s(known, 11.0, before_s=0.0) == pytest.approx(10.0 + SLOW_FIRST_SOUND_S)
    late = slow_stream(4.0)
    late.writer = Writer(9.0, 4.0)
    assert late.release_at_s(known, 11.0, before_s=0.0) == 11.0
    late.writer = Writer(9.0, 100.0)
    assert late.release_at_s(known, 11.0, before_s=9.0) == 11.0 + LONGEST_HOLD_S


def test_a_slow_writer_is_asked_for_some_words_and_then_for_any() -> None:
    """Some words at once, any shortly before the sequence is closed."""
    made, known = slow_stream(4.0), costs()
    starvation = made.starvation(known)
    assert starvation is not None and starvation.offers
    assert made.ask(starvation, starvation.ask_at_s - 0.01) is Asked.STRETCH
    assert made.ask(starvation, starvation.ask_at_s) is Asked.WORD
    assert made.ask(starvation, starvation.close_at_s) is Asked.NOTHING


def test_a_first_sound_that_is_kept_back_counts_as_sent() -> None:
    """When it was made, for others' first sounds; when it would be released, for its own."""
    speech = Scripted()
    speech.say(15)
    made = stream(speech)
    speak(made, 11.0)
    assert made.standing.due_s == pytest.approx(11.48)
    assert made.standing_released(12.0).due_s == pytest.approx(12.48)
    assert not made.delivery.playback.begun


# -- after a crash ----------------------------------------------------------------------------------------------------


def test_a_resumed_stream_goes_on_after_what_is_out() -> None:
    """Its next hop is the one after; what is computed again is no hop, and gives no sound."""
    speech = Scripted([Sequenced([7] * 30, complete=True), Sequenced([7] * 60)])
    made = stream(speech, resumes_at=(1, 12))
    assert made.place == (1, 12) and made.unvoiced_tokens == 48
    hop = made.next_hop()
    assert hop == HopPlan(1, 12, 25, False)
    made.begin_hop(None, Work(50))
    assert made.work is not None and made.hop is None
    made.finish_hop()
    assert made.place == (1, 12) and made.next_hop() == hop
