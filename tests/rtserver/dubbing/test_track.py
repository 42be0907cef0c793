"""The sound of the track, and the times of its words."""

from __future__ import annotations

import numpy as np

from rtserver.dubbing.cues import Part
from rtserver.dubbing.placement import Placed
from rtserver.dubbing.track import track
from rtserver.dubbing.word_times import Word, vtt_with_words


def heard(*sounds: tuple[int, list[int]], samples: int = 0) -> list[int]:
    given = ((place, np.array(sound, np.int16)) for place, sound in sounds)
    return [int(sample) for piece in track(given, samples) for sample in piece]


def test_sounds_are_put_at_their_places() -> None:
    """With silence before, between and after them."""
    assert heard((2, [1, 2]), (5, [3]), samples=8) == [0, 0, 1, 2, 0, 3, 0, 0]
    assert heard(samples=3) == [0, 0, 0]
    assert heard((0, [1, 2]), (2, [3]), samples=1) == [1, 2, 3]


def test_sounds_that_overlap_are_added() -> None:
    """And clipped where they are too loud together."""
    assert heard((0, [1, 1, 1, 1]), (1, [10, 20]), (2, [100, 200, 300])) == [1, 11, 121, 201, 300]
    assert heard((0, [30000, -30000]), (0, [30000, -30000])) == [32767, -32768]


def test_a_long_silence_comes_in_pieces() -> None:
    """A film of hours is never in memory as a whole."""
    pieces = list(track([(1_000_000, np.ones(3, np.int16))], 0))
    assert sum(map(len, pieces)) == 1_000_003 and max(map(len, pieces)) < 300_000
    assert [int(sample) for sample in pieces[-1][-3:]] == [1, 1, 1]


def test_each_word_has_its_time() -> None:
    """In the time of the track. Times rise, and none is at the begin or the end of its cue."""
    words = [Word("One", 0, 0), Word("<two>", 4, 500), Word("three", 10, 500), Word("four", 16, 2000)]
    placed = Placed(Part(1, 1, 3599.0, 3601.0, "female", "One <two> three four"), 3599.5, 2.0)
    assert vtt_with_words([(placed, "Anna & Tom", words)]) == (
        "WEBVTT\n\n00:59:59.500 --> 01:00:01.500\n<v Anna &amp; Tom>One <01:00:00.000>&lt;two&gt; three four\n"
    )


def test_words_without_spaces_stand_together() -> None:
    """As in Chinese. A part without word times has its text alone."""
    placed = Placed(Part(1, 1, 0.0, 2.0, "v", "你好 a"), 0.0, 2.0)
    words = [Word("你", 0, 10), Word("好", 1, 300), Word("a", 3, 600)]
    assert vtt_with_words([(placed, "v", words), (placed, "v", [])]) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\n<v v><00:00:00.010>你<00:00:00.300>好 <00:00:00.600>a\n\n"
        "00:00:00.000 --> 00:00:02.000\n<v v>你好 a\n"
    )
