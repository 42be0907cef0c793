"""The engine that speaks tones: conversion, target lengths, and the modes that it refuses."""

from __future__ import annotations

import asyncio

import pytest

from rtserver.engine.api import Event
from rtserver.ipc.engine import Done, Failed, Open, Started
from rtserver.ipc.preparing import Recording
from tests.rtserver.engine.test_fake import AT_ONCE, ID_SAMPLES, closed, engine, sound, speak

SOURCE = Recording(b"\0\0" * 32000, 16000)  # 2 s


def test_it_can_do_all_modes() -> None:
    """It says so, and that it clones, and what voices there are."""

    async def scenario() -> None:
        async with engine() as one:
            assert one.info.modes == ["sft", "zero_shot", "cross_lingual", "instruct", "vc"] and one.info.clones
            assert [v.name for v in one.info.voice_details] == one.info.voices

    asyncio.run(scenario())


def test_a_conversion_sounds_as_long_as_its_source() -> None:
    """Without text and without an end; twice as fast it is half as long."""

    async def scenario() -> None:
        async with engine() as one:
            events: list[Event] = []
            one.open(Open("u", "default", "vc", source_audio=SOURCE), events.append)
            await closed(events)
            assert len(sound(events)) == 48000

    asyncio.run(scenario())
    assert len(sound(speak([], mode="vc", source_audio=SOURCE, speed=2.0))) == 24000


def test_a_recording_is_a_voice() -> None:
    """The name beside it is not heeded."""
    started, *_, done = speak([5], voice="nobody", prompt_audio=SOURCE, mode="zero_shot", prompt_text="hello")
    assert started == Started("u", "recording", 1) and isinstance(done, Done)


@pytest.mark.parametrize(("target_s", "speed"), [(1.0, 1.2), (1.2, 1.0), (1.7, 1.2 / 1.7), (0.1, 2.0), (9.0, 0.5)])
def test_a_target_is_met_exactly_within_the_bounds(target_s: float, speed: float) -> None:
    """The samples are those of the target, or of the speed that is its bound; both are told."""
    events = speak([8, 12], target_s=target_s)
    done = events[-1]
    assert isinstance(done, Done)
    assert len(sound(events)) == round(20 * ID_SAMPLES / speed)
    assert done.seconds["target"] == target_s and done.seconds["speed"] == pytest.approx(speed)


def test_a_target_waits_for_the_whole_text() -> None:
    """Nothing sounds before the end is known; a conversion's is known from the start."""

    async def scenario() -> None:
        async with engine() as one:
            events: list[Event] = []
            utterance = one.open(Open("u", "default", target_s=1.0), events.append)
            utterance.feed([])
            for _ in range(20):
                await asyncio.sleep(0)
            assert len(events) == 1
            utterance.end()
            await closed(events)

    asyncio.run(scenario())
    assert len(sound(speak([], mode="vc", source_audio=SOURCE, target_s=2.5))) == 60000


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"mode": "sing"}, "unknown_mode", "found 'sing'"),
        ({"mode": "vc"}, "bad_message", "source_audio"),
        ({"source_audio": SOURCE}, "bad_message", "mode sft: expected source_audio with mode vc"),
        ({"mode": "instruct", "instruct_text": " "}, "bad_message", "expected an instruction"),
        ({"target_s": 2.0, "streaming": True}, "bad_message", "expected a whole text"),
        ({"target_s": 0.0}, "bad_message", "expected a length"),
        ({"speed": 3.0}, "bad_message", "0.5 to 2.0"),
    ],
)
def test_what_cannot_be_fails_by_name(change: dict[str, object], code: str, message: str) -> None:
    """It is the only event."""
    (failed,) = speak([5], AT_ONCE, **change)
    assert isinstance(failed, Failed) and failed.code == code and message in failed.message
