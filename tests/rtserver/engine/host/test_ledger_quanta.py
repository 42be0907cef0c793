"""Quanta on their way from the acoustic process to the talker and back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rtserver.ipc.talker import Refused, StopQuantum, Tokens
from tests.rtserver.engine.host.ledgers import RATE, number_of, running, sample, to_acoustic, to_talker


@pytest.mark.parametrize("answer", [Tokens("key", 0, [7, 8], 0.25), Refused("key", 0, "too long")])
def test_a_quantum_is_answered_under_its_own_name(answer: Tokens | Refused) -> None:
    """The talker gets another number. The answer goes back under the acoustic process's number, once."""
    ledger = running()
    steps = ledger.from_acoustic(sample(7))
    number = number_of(steps)
    assert number != 7 and steps == to_talker(sample(number))
    assert ledger.counts["unanswered_quanta"] == 1
    assert ledger.from_talker(replace(answer, quantum=number)) == to_acoustic(replace(answer, quantum=7))
    assert ledger.from_talker(replace(answer, quantum=number)) == [] and ledger.counts["unanswered_quanta"] == 0


def test_after_its_answer_a_quantum_is_over() -> None:
    """A stop that crossed the answer does nothing, and the number can be asked for again."""
    ledger = running()
    ledger.from_talker(Tokens("key", number_of(ledger.from_acoustic(sample(1))), [7], 0.25))
    assert ledger.from_acoustic(StopQuantum("key", 1)) == []
    ledger.from_talker(Tokens("key", number_of(ledger.from_acoustic(sample(1))), [7], 0.25))
    again = number_of(ledger.from_acoustic(sample(1, seed=8)))
    assert ledger.from_talker(Tokens("key", again, [8], 0.25)) == to_acoustic(Tokens("key", 1, [8], 0.25))


def test_a_stopped_quantum_is_not_answered() -> None:
    """A stop reaches the talker; an answer that was on its way does nothing, and neither does a second stop."""
    ledger = running()
    number = number_of(ledger.from_acoustic(sample(1)))
    assert ledger.from_acoustic(StopQuantum("key", 1)) == to_talker(StopQuantum("key", number))
    assert (
        ledger.from_talker(Tokens("key", number, [7], 0.25)) == ledger.from_talker(Refused("key", number, "no")) == []
    )
    assert ledger.from_acoustic(StopQuantum("key", 1)) == ledger.from_acoustic(StopQuantum("never", 1)) == []
    assert ledger.counts["unanswered_quanta"] == 0


def test_a_late_answer_is_not_taken_for_a_new_quantum() -> None:
    """A quantum that has the number of a stopped one gets its own answer."""
    ledger = running()
    first = number_of(ledger.from_acoustic(sample(1)))
    ledger.from_acoustic(StopQuantum("key", 1))
    second = number_of(ledger.from_acoustic(sample(1, seed=8)))
    assert ledger.from_talker(Tokens("key", first, [7], 0.25)) == []
    assert ledger.from_talker(Tokens("key", second, [8], 0.25)) == to_acoustic(Tokens("key", 1, [8], 0.25))


def test_a_quantum_that_is_asked_for_again_replaces_the_first() -> None:
    """The talker stops the one before it gets the other of its number."""
    ledger = running()
    first = number_of(ledger.from_acoustic(sample(1)))
    stop, again = ledger.from_acoustic(sample(1, seed=8))
    assert [stop] == to_talker(StopQuantum("key", first))
    second = number_of([again])
    assert ledger.counts["unanswered_quanta"] == 1 and second != first
    assert ledger.from_talker(Tokens("key", first, [7], 0.25)) == []
    assert ledger.from_talker(Tokens("key", second, [8], 0.25)) == to_acoustic(Tokens("key", 1, [8], 0.25))


def test_a_new_talker_gets_the_quanta_that_nobody_has_answered() -> None:
    """Those that were answered or stopped are not asked for again; the others come in their order and are answered."""
    ledger = running()
    first, second, third, fourth = (number_of(ledger.from_acoustic(sample(i, seed=i))) for i in range(4))
    ledger.from_talker(Tokens("key", second, [7], 0.25))
    assert ledger.down("talker", "it broke", 1.0) == []
    assert ledger.from_acoustic(StopQuantum("key", 2)) == [] and ledger.from_acoustic(sample(4, seed=4)) == []
    first_again, fourth_again, new = ledger.talker_up()
    assert [first_again, fourth_again] == to_talker(sample(first, 0), sample(fourth, 3))
    assert ledger.from_talker(Tokens("key", third, [7], 0.25)) == []
    assert ledger.from_talker(Tokens("key", first, [8], 0.25)) == to_acoustic(Tokens("key", 0, [8], 0.25))
    assert ledger.from_talker(Tokens("key", number_of([new]), [9], 0.25)) == to_acoustic(Tokens("key", 4, [9], 0.25))


def test_quanta_of_a_dead_acoustic_process_are_stopped() -> None:
    """The talker need not work for a process that is gone, and its late answers do nothing for the next one."""
    ledger = running()
    numbers = [number_of(ledger.from_acoustic(sample(i))) for i in range(2)]
    assert ledger.down("acoustic", "it broke", 1.0) == to_talker(*(StopQuantum("key", number) for number in numbers))
    assert ledger.counts["unanswered_quanta"] == 0
    ledger.acoustic_up(RATE)
    again = number_of(ledger.from_acoustic(sample(0)))
    assert ledger.from_talker(Tokens("key", numbers[0], [7], 0.25)) == []
    assert ledger.from_talker(Tokens("key", again, [8], 0.25)) == to_acoustic(Tokens("key", 0, [8], 0.25))


def test_an_answer_for_an_acoustic_process_that_is_away_goes_nowhere() -> None:
    """When both die, neither the quanta nor their answers outlive them."""
    ledger = running()
    number = number_of(ledger.from_acoustic(sample(0)))
    ledger.down("talker", "it broke", 1.0)
    assert ledger.down("acoustic", "it broke", 1.0) == []
    assert ledger.talker_up() == [] and ledger.from_talker(Tokens("key", number, [7], 0.25)) == []
