"""Where the text of a fake utterance sounds."""

from __future__ import annotations

import pytest

from rtserver.engine.tone_timeline import ToneTimeline


def test_ids_and_silences_have_their_places() -> None:
    """A rate shortens or lengthens its ids, a silence moves what comes after it."""
    text = ToneTimeline()
    text.add(10, 1.0)
    text.add_silence(50)
    text.add(10, 2.0)
    text.add(4, 2.0)
    text.add(10, 0.5)
    assert (text.ids, text.length, text.silent_samples) == (34, 37.0, 50)
    assert list(text.silences(100.0)) == [(1000, 1050)]
    at = {0: 0, 500: 5, 1000: 10, 1025: 10, 1050: 10, 1100: 11, 1750: 24, 1850: 24.5, 3750: 34, 9999: 34}
    for sample, ids in at.items():
        assert text.ids_at(sample, 100.0) == pytest.approx(ids)


def test_no_text_is_no_sound() -> None:
    """Nothing is spoken, and nothing is silent."""
    text = ToneTimeline()
    assert text.ids_at(0, 100.0) == 0 and list(text.silences(100.0)) == []
