"""The engine that speaks tones."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtserver.engine.api import Event
from rtserver.engine.fake import FakeEngine, FakeOptions
from rtserver.ipc.engine import Audio, Done, Failed, Flushed, Open, Started
from rtserver.ipc.reading import Segment
from tests.rtserver.serving import eventually

# Sounds as fast as can be; an id is 0.06 s, 1440 samples.
AT_ONCE = FakeOptions(realtime_factor=0.0)
ID_SAMPLES = 1440


def text(ids: int) -> list[Segment]:
    return [Segment([7] * ids, 0, True)]


@contextlib.asynccontextmanager
async def engine(options: FakeOptions = AT_ONCE) -> AsyncIterator[FakeEngine]:
    """Closed behind the block; no task of it may be left."""
    tasks = asyncio.all_tasks()
    made = FakeEngine(options)
    yield made
    await made.close()
    assert made.live == 0 and asyncio.all_tasks() == tasks


async def closed(events: Sequence[Event]) -> None:
    """Waits for the end of an utterance."""
    await eventually(lambda: bool(events) and isinstance(events[-1], Done | Failed))


def sound(events: Sequence[Event]) -> np.ndarray:
    """The samples, without gap or repeat."""
    pcm = b""
    for event in events:
        if isinstance(event, Audio):
            assert event.start_s * 24000 == pytest.approx(len(pcm) / 2)
            pcm += event.pcm
    return np.frombuffer(pcm, "<i2")


def flushed(events: Sequence[Event]) -> list[tuple[int, Flushed]]:
    """The answers to flushes and where they stand."""
    return [(i, e) for i, e in enumerate(events) if isinstance(e, Flushed)]


def speak(pieces: Sequence[int], options: FakeOptions = AT_ONCE, **change: object) -> list[Event]:
    """All events of an utterance that gets so many ids at a time, with a turn of the loop between."""
    events: list[Event] = []

    async def scenario() -> None:
        async with engine(options) as one:
            request = replace(Open("u", "default"), **change)  # type: ignore[arg-type]
            utterance = one.open(request, events.append)
            assert events == [] and one.live == 1
            for ids in pieces:
                utterance.feed(text(ids))
                await asyncio.sleep(0)
            utterance.end()
            await closed(events)
            assert one.live == 0

    asyncio.run(scenario())
    return events


def test_an_utterance_sounds_as_long_as_its_text() -> None:
    """Started first, audio in hops without gap or repeat, Done last with the same length."""
    started, *audio, done = speak([20])
    assert started == Started("u", "中文女", 1)
    assert [len(a.pcm) // 2 for a in audio if isinstance(a, Audio)] == [12000, 12000, 4800]
    assert len(sound(audio)) == 20 * ID_SAMPLES and len(audio) == 3
    assert isinstance(done, Done) and (done.text_ids, done.sequences, done.truncated) == (20, 1, False)
    assert done.seconds["audio"] == pytest.approx(1.2) and len(done.speech_tokens) == 30
    assert 0 <= done.seconds["ttfa"] <= done.seconds["wall"]


def test_audio_tells_how_much_text_is_spoken() -> None:
    """The text position grows with the sound, up to all ids."""
    positions = [e.text_position for e in speak([20]) if isinstance(e, Audio)]
    assert positions == pytest.approx([12000 / ID_SAMPLES, 24000 / ID_SAMPLES, 20])


def test_a_tone_is_one_of_its_voice_and_seed() -> None:
    """The same request gives the same samples; another voice or seed gives another tone."""
    first = sound(speak([10], voice="英文女", seed=3))
    assert np.array_equal(first, sound(speak([10], voice="英文女", seed=3)))
    assert np.abs(first).max() == 6000
    assert not np.array_equal(first, sound(speak([10], voice="英文男", seed=3)))
    assert not np.array_equal(first, sound(speak([10], voice="英文女", seed=4)))


def test_the_default_voice_is_the_first() -> None:
    """`default` is told by its name."""
    options = replace(AT_ONCE, voices=("tuba", "flute"))
    assert speak([1], options)[0] == Started("u", "tuba", 1)
    assert speak([1], options, voice="flute")[0] == Started("u", "flute", 1)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 9), max_size=8), st.sampled_from([0.02, 0.1, 0.5]), st.sampled_from([0.5, 1.0, 1.1]))
def test_samples_do_not_depend_on_how_text_came(pieces: list[int], hop_s: float, speed: float) -> None:
    """However text is cut, and however the work is, the samples are those of the whole text."""
    whole = sound(speak([sum(pieces)], speed=speed))
    assert abs(len(whole) - sum(pieces) * ID_SAMPLES / speed) < 1
    assert np.array_equal(sound(speak(pieces, replace(AT_ONCE, hop_s=hop_s), speed=speed)), whole)


def test_speed_changes_the_length() -> None:
    """Twice as fast is half as long."""
    assert len(sound(speak([10], speed=2.0))) == 10 * ID_SAMPLES // 2


def test_no_text_is_done_at_once() -> None:
    """An utterance without text ends without sound, and has no time to a first one."""
    started, done = speak([])
    assert isinstance(started, Started) and isinstance(done, Done)
    assert done.seconds["audio"] == 0 and "ttfa" not in done.seconds


def test_an_unknown_voice_fails() -> None:
    """It is the only event, names the voice and those that there are."""
    (failed,) = speak([5], voice="nobody")
    assert isinstance(failed, Failed) and failed.code == "unknown_voice"
    assert "'nobody'" in failed.message and "英文男" in failed.message


def test_flushes_are_answered_in_order_behind_their_sound() -> None:
    """Each flush is answered once, when the text before it has sounded; one without new text too."""

    async def scenario() -> None:
        async with engine(replace(AT_ONCE, hop_s=0.06)) as one:
            events: list[Event] = []
            utterance = one.open(Open("u", "default"), events.append)
            utterance.flush("empty")
            utterance.feed(text(3))
            utterance.flush("a")
            utterance.flush("b")
            utterance.feed(text(2))
            utterance.flush("c")
            utterance.end()
            await closed(events)
            answers = [(e.id, e.audio_s * 24000, len(sound(events[:i]))) for i, e in flushed(events)]
            assert answers == [
                ("empty", 0, 0),
                ("a", pytest.approx(3 * ID_SAMPLES), 3 * ID_SAMPLES),
                ("b", pytest.approx(3 * ID_SAMPLES), 3 * ID_SAMPLES),
                ("c", pytest.approx(5 * ID_SAMPLES), 5 * ID_SAMPLES),
            ]

    asyncio.run(scenario())


def test_a_flush_does_not_end_an_utterance() -> None:
    """After a flush it waits, and goes on with the text that comes."""

    async def scenario() -> None:
        async with engine() as one:
            events: list[Event] = []
            utterance = one.open(Open("u", "default"), events.append)
            utterance.feed(text(2))
            utterance.flush("a")
            await eventually(lambda: len(flushed(events)) == 1)
            assert one.live == 1 and isinstance(events[-1], Flushed)
            utterance.feed(text(2))
            utterance.end()
            await closed(events)
            assert len(sound(events)) == 4 * ID_SAMPLES and len(flushed(events)) == 1

    asyncio.run(scenario())


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 1500)), min_size=1, max_size=6),
    st.sampled_from([1.0, 0.5, 1.3]),
)
def test_silences_are_exact(parts: list[tuple[int, int]], speed: float) -> None:
    """Zeros of the length that a segment asks for, after the ids before it; the tone goes on around them."""
    segments = [s for ids, ms in parts for s in (*text(ids), Segment([], 0, False, silence_ms=ms))]
    events: list[Event] = []

    async def scenario() -> None:
        async with engine() as one:
            utterance = one.open(replace(Open("u", "default"), speed=speed), events.append)
            utterance.feed(segments)
            utterance.end()
            await closed(events)

    asyncio.run(scenario())
    samples, ids, at = sound(events), 0, 0
    for more, silence_ms in parts:
        ids += more
        end = int(ids * ID_SAMPLES / speed + 1e-6) + at
        silence = 24 * silence_ms
        assert not samples[end : end + silence].any()
        assert not silence or not more or samples[max(0, end - 3) : end].any()
        at += silence
    assert len(samples) == int(ids * ID_SAMPLES / speed + 1e-6) + at
