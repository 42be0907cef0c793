"""One quantum at a time on its way to the talker and back."""

from __future__ import annotations

from rtserver.schedule.quanta import Quanta
from tests.rtserver.schedule.streams import Scripted


def test_a_quantum_is_worked_out_anew_only_when_something_changed() -> None:
    """Its size is asked for once, until then."""
    asked: list[int] = []

    def tokens() -> int:
        asked.append(1)
        return 15

    quanta = Quanta(Scripted())
    first = quanta.next(tokens)
    assert first is not None and first.max_tokens == 15
    assert quanta.next(tokens) is first and quanta.upcoming is first and len(asked) == 1
    quanta.changed()
    quanta.next(tokens)
    assert len(asked) == 2


def test_one_is_under_way_at_a_time_and_each_has_its_number() -> None:
    """The next one is there when the answer has come."""
    quanta = Quanta(Scripted())
    numbers: list[int] = []
    for at_s in (1.0, 2.0):
        quanta.next(lambda: 5)
        number = quanta.sent(at_s)
        assert quanta.under_way == number and quanta.sent_s == at_s
        assert quanta.next(lambda: 5) is None and quanta.upcoming is None
        assert quanta.accept(number, [1]) and quanta.under_way is None
        numbers.append(number)
    assert numbers == [1, 2]


def test_an_answer_to_another_quantum_is_dropped() -> None:
    """One that is late, one that nobody asked for."""
    speech = Scripted()
    quanta = Quanta(speech)
    assert not quanta.accept(0, [1])
    quanta.next(lambda: 5)
    number = quanta.sent(1.0)
    assert not quanta.accept(number - 1, [1]) and not quanta.accept(number + 1, [1])
    assert speech.spoken[0].flow_tokens == [] and quanta.under_way == number


def test_nothing_to_sample_is_no_quantum() -> None:
    """Until something has changed."""
    speech = Scripted(room=0)
    quanta = Quanta(speech)
    assert quanta.next(lambda: 5) is None
    speech.room = 3
    assert quanta.next(lambda: 5) is None
    quanta.changed()
    found = quanta.next(lambda: 5)
    assert found is not None and found.max_tokens == 3


def test_a_quantum_that_has_not_gone_yet_can_be_longer() -> None:
    """It never becomes shorter, and the talker gets no more than it can sample. One that went stays as it is."""
    quanta = Quanta(Scripted(room=40))
    assert quanta.lengthen(50) is None
    quanta.next(lambda: 15)
    shorter = quanta.lengthen(10)
    assert shorter is not None and shorter.max_tokens == 15
    longer = quanta.lengthen(50)
    assert longer is not None and longer.max_tokens == 40 and quanta.upcoming is longer
    quanta.sent(1.0)
    assert quanta.lengthen(60) is None and quanta.waiting is longer
