"""Silences and rates that a text asks for, in the acoustic process's loop, in simulated time."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from rtserver.ipc.engine import (
    Audio,
    Done,
    End,
    Feed,
    Flush,
    Flushed,
)
from rtserver.ipc.reading import Segment
from tests.rtserver.engine.acoustic.fakes import World
from tests.rtserver.engine.acoustic.loops import HOP_TOKENS, SENTENCE, held, opened


def quiet(silence_ms: int) -> Segment:
    return Segment([], 0, False, silence_ms=silence_ms)


def lengths(world: World) -> list[int]:
    """The samples of each sound."""
    for before, after in pairwise(world.of(Audio)):
        assert after.start_s == pytest.approx(before.start_s + len(before.pcm) / 48000)
    return [len(audio.pcm) // 2 for audio in world.of(Audio)]


SPEECH = [960 * tokens for tokens in HOP_TOKENS]


@pytest.mark.parametrize("streaming", [False, True])
def test_silences_are_exact_and_stand_between_sequences(streaming: bool) -> None:
    """At the start, in the middle and at the end, as zeros; their length is in the utterance's, and they are no
    tokens and no sequences."""
    world = World()
    opened(world, streaming=streaming)
    segments = [quiet(333), SENTENCE, quiet(1), quiet(1500), SENTENCE, quiet(20)]
    world.at(100.0, Feed("u", segments), End("u"))
    world.run()
    assert lengths(world) == [7992, *SPEECH, 24, 24000, 12000, *SPEECH, 480]
    silent = [audio for audio in world.of(Audio) if len(audio.pcm) not in [2 * n for n in SPEECH]]
    assert all(not any(audio.pcm) for audio in silent)
    (done,) = world.of(Done)
    assert done.seconds["audio"] == pytest.approx(4.8 + 1.854) and done.sequences == 2
    assert len(done.speech_tokens) == 120 and set(held(world).values()) == {0}


def test_only_silence_is_spoken_too() -> None:
    """A text of one tag lasts as long as the tag says."""
    world = World()
    opened(world)
    world.at(100.0, Feed("u", [quiet(250)]), End("u"))
    world.run()
    assert lengths(world) == [6000] and world.of(Done)[0].seconds["audio"] == 0.25


def test_a_long_silence_is_paced_as_speech_is() -> None:
    """Work stops while the listener has its lead ahead."""
    world = World()
    opened(world, max_lead_s=2.0)
    world.at(100.0, Feed("u", [quiet(10_000)]), End("u"))
    world.run()
    times = world.when(Audio)
    assert lengths(world) == [24000] * 10
    assert times[1] < 100.1 and times[-1] == pytest.approx(107.0, abs=1.1)


def test_a_flush_is_answered_after_the_silence_before_it() -> None:
    """Not before its last sample."""
    world = World()
    opened(world)
    world.at(100.0, Feed("u", [SENTENCE, quiet(500)]), Flush("u", "f"), Feed("u", [SENTENCE]), End("u"))
    world.run()
    (flushed,) = world.of(Flushed)
    assert flushed.audio_s == pytest.approx(2.9)


def test_a_length_that_was_asked_for_counts_the_silence() -> None:
    """The speech is spoken in what is left of it."""
    world = World()
    opened(world, target_s=3.0)
    world.at(100.0, Feed("u", [SENTENCE, quiet(1000)]), End("u"))
    world.run()
    (done,) = world.of(Done)
    assert done.seconds["speed"] == pytest.approx(1.2) and done.seconds["audio"] == pytest.approx(3.0, abs=0.04)


@pytest.mark.parametrize("sounds", range(1, 11))
def test_another_process_goes_on_after_any_sound_beside_a_silence(sounds: int) -> None:
    """No sample is missing or twice, wherever the first one died."""
    segments = [quiet(300), SENTENCE, quiet(1500), SENTENCE, quiet(100)]
    first, second = World(), World()
    for world in (first, second):
        record = first.of(Audio)[sounds - 1].resume if world is second else None
        opened(world, resume=record)
        world.at(100.0, Feed("u", segments), End("u"))
        world.run()
    whole = [(a.start_s, a.pcm) for a in first.of(Audio)]
    assert len(whole) == 10 and [(a.start_s, a.pcm) for a in second.of(Audio)] == whole[sounds:]
    assert second.of(Done)[0].seconds["audio"] == first.of(Done)[0].seconds["audio"]


def test_a_rate_changes_the_length_of_its_span_alone() -> None:
    """Beside the speed of the utterance; both together stay within the bounds of speed."""
    world = World()
    opened(world, speed=1.25)
    slow, fast = replace(SENTENCE, rate=0.8), replace(SENTENCE, rate=1.9)
    world.at(100.0, Feed("u", [SENTENCE, slow, quiet(100), fast]), End("u"))
    world.run()
    (done,) = world.of(Done)
    assert done.sequences == 3 and done.seconds["audio"] == pytest.approx(2.4 / 1.25 + 2.4 + 0.1 + 1.2, abs=0.05)
    ends = [audio.start_s + len(audio.pcm) / 48000 for audio in world.of(Audio)]
    assert any(abs(end - (2.4 / 1.25 + 2.4)) < 0.04 for end in ends)


def test_a_length_that_was_asked_for_keeps_the_rates() -> None:
    """The speed is the one that fits with them."""
    world = World()
    opened(world, target_s=4.0)
    world.at(100.0, Feed("u", [SENTENCE, replace(SENTENCE, rate=0.8)]), End("u"))
    world.run()
    (done,) = world.of(Done)
    assert done.seconds["speed"] == pytest.approx(5.4 / 4) and done.seconds["audio"] == pytest.approx(4.0, abs=0.05)


def test_another_process_goes_on_in_a_span_with_a_rate_of_its_own() -> None:
    """After any of its sounds: the same sound from there on."""
    segments = [SENTENCE, replace(SENTENCE, rate=0.7), quiet(200), SENTENCE]
    first = World()
    opened(first, speed=1.1)
    first.at(100.0, Feed("u", segments), End("u"))
    first.run()
    whole = [(a.start_s, a.pcm) for a in first.of(Audio)]
    for sounds, audio in enumerate(first.of(Audio), 1):
        second = World()
        opened(second, speed=1.1, resume=audio.resume)
        second.at(100.0, Feed("u", segments), End("u"))
        second.run()
        assert [(a.start_s, a.pcm) for a in second.of(Audio)] == whole[sounds:]
