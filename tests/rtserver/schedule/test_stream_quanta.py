"""What a stream asks of the talker, and how much time its listener has."""

from __future__ import annotations

import pytest

from tests.rtserver.schedule.streams import Scripted, Sequenced, begin, stream


def test_a_quantum_brings_what_the_next_hop_needs() -> None:
    """Hop and look-ahead first; while a hop runs, what the one after it needs; with enough there, a whole quantum."""
    speech = Scripted()
    made = stream(speech)
    assert made.wanted_tokens() == 15
    speech.say(15)
    begin(made)
    assert made.wanted_tokens() == 25
    speech.say(20)
    assert made.wanted_tokens() == 5
    speech.say(5)
    assert made.wanted_tokens() == 25


def test_a_quantum_for_a_later_sequence_is_for_its_first_hop() -> None:
    """While the flow is still at the one before; when all sequences are complete there is nothing to size."""
    speech = Scripted([Sequenced([7] * 60, complete=True), Sequenced([7] * 5)])
    made = stream(speech)
    begin(made)
    assert made.wanted_tokens() == 10
    speech.spoken[1].complete = True
    assert made.wanted_tokens() == 25


def test_slack_is_what_needs_no_more_tokens() -> None:
    """What was sent and not heard, and the next hop when its tokens are there. Tokens that are too few for a hop give
    no sound before others come."""
    speech = Scripted()
    made = stream(speech)
    speech.say(14)
    assert made.slack_s(10.0) == 0.0
    speech.say(1)
    assert made.slack_s(10.0) == pytest.approx(12 / 25)
    begin(made)
    assert made.slack_s(10.0) == pytest.approx(12 / 25)
    made.delivery.playback.sent(2.0, 11.0)
    assert made.slack_s(11.5) == pytest.approx(1.5 + 12 / 25)


def test_a_quantum_can_bring_more_than_the_next_hop_needs() -> None:
    """Of those that its owner asks for, and not fewer than the hop needs. None while one is under way."""
    speech = Scripted()
    made = stream(speech)
    for tokens, found in ((50, 50), (0, 15)):
        made.quanta.changed()
        quantum = made.next_quantum(tokens)
        assert quantum is not None and quantum.max_tokens == found
    made.quanta.sent(11.0)
    assert made.next_quantum(50) is None
