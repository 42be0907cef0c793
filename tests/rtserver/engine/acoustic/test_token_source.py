"""A recording's speech tokens in the talker's place."""

from __future__ import annotations

import pytest

from rtserver.engine.acoustic.text_plan import History
from rtserver.engine.acoustic.token_source import Conversion, TokenSource
from rtserver.ipc.reading import Segment
from rtserver.schedule.quanta import Quanta


def test_a_conversion_is_complete_from_the_start() -> None:
    """Every piece is a sequence; there is nothing to sample, to wait for or to remember."""
    speech: TokenSource = Conversion([[1, 2, 3], [4]])
    assert [s.flow_tokens for s in speech.spoken] == [[1, 2, 3], [4]]
    assert all(s.complete for s in speech.spoken) and speech.complete and speech.speechless
    assert not speech.starving and not speech.truncated
    assert (speech.tokens, speech.speech_tokens, speech.text_ids) == (4, [1, 2, 3, 4], 0)
    assert speech.history == History([], []) and speech.text_position(1, 3.0) == 0.0


def test_a_conversion_gives_the_talker_nothing_to_do() -> None:
    """There is no quantum, before and after its end."""
    speech = Conversion([[1, 2]])
    quanta = Quanta(speech)
    assert quanta.next(lambda: 25) is None
    speech.end()
    quanta.changed()
    assert quanta.next(lambda: 25) is None and quanta.waiting is None


def test_a_flush_of_a_conversion_is_behind_all_of_it() -> None:
    """It closes as many sequences as there are pieces."""
    assert Conversion([[1], [2], [3]]).close() == 3


def test_a_conversion_takes_no_text() -> None:
    """Text is an error that says why; an end without text is none."""
    speech = Conversion([[1]])
    speech.feed([])
    with pytest.raises(ValueError, match="mode vc: expected no text, found some"):
        speech.feed([Segment([7], 0, True)])
