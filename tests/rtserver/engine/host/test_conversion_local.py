"""Voice conversion and target lengths by the engine's processes, with the embedded checkpoint."""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import os
import signal
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from cosyvoice.nano.score.listener import PARTS, Listener, Score, error_rate
from cosyvoice.voice.features import resample
from rtserver.engine.api import Event, EventStream
from rtserver.engine.host.local import LocalEngine
from rtserver.ipc.engine import Audio, Done, Failed, Open, Started
from rtserver.ipc.preparing import Recording
from rtserver.ipc.reading import Segment
from rtserver.reader.text_front import TextFront
from tests.rtserver.engine.host.speaking import closing, read, sound, speak
from tests.rtserver.serving import eventually

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("nano engine")]

TEXTS = [
    "The doctor will call you back within an hour.",
    "She found an old photograph between the pages of the book.",
    "The museum is closed today, but the garden is open.",
    "Please keep your ticket until the end of the ride.",
]
SILENCE = Recording(b"\0\0" * 24000, 24000)


@pytest.fixture(scope="module")
def spoken(runner: asyncio.Runner, engine: LocalEngine, front: TextFront) -> list[Recording]:
    """The texts in a woman's voice."""

    async def all_of_them() -> list[list[Event]]:
        requests = [Open(f"t{i}", "英文女", seed=i) for i in range(len(TEXTS))]
        return await asyncio.gather(*(speak(engine, r, read(front, t)) for r, t in zip(requests, TEXTS)))

    return [recording(events) for events in runner.run(all_of_them())]


def recording(events: Sequence[Event]) -> Recording:
    return Recording(sound(events).astype("<i2").tobytes(), 24000)


_NUMBERS = itertools.count()  # no name may be used twice in one engine


def converted(source: Recording, **change: object) -> Open:
    """To a man's voice."""
    return replace(Open(f"u{next(_NUMBERS)}", "英文男", "vc", source_audio=source), **change)  # type: ignore[arg-type]


def heard(recording: Recording) -> np.ndarray:
    """A wave of 16 kHz."""
    wave = torch.from_numpy(np.frombuffer(recording.pcm, "<i2").astype(np.float32) / 32768)
    return resample(wave, recording.sample_rate, 16000).numpy()


def pitch_hz(wave: np.ndarray) -> float:
    """The median over voiced 40 ms, by autocorrelation."""
    pitches = []
    for start in range(0, len(wave) - 640, 320):
        frame = wave[start : start + 640] - wave[start : start + 640].mean()
        likeness = np.correlate(frame, frame, "full")[639:]
        lag = int(np.argmax(likeness[50:260])) + 50
        if np.sqrt((frame**2).mean()) > 0.03 and likeness[lag] > 0.5 * likeness[0]:
            pitches.append(16000 / lag)
    return float(np.median(pitches))


def test_a_source_is_said_again_in_another_voice(
    runner: asyncio.Runner, engine: LocalEngine, spoken: list[Recording]
) -> None:
    """As long as it is, hop by hop, at a man's pitch; no text, and its speech tokens are used."""
    request = converted(spoken[1])
    events = runner.run(speak(engine, request, []))
    started, *audio, done = events
    assert started == Started(request.utterance, "英文男", 0) and len(audio) >= 3 and isinstance(done, Done)
    samples = len(spoken[1].pcm) // 2
    assert len(sound(events)) == samples == len(done.speech_tokens) * 960
    assert (done.text_ids, done.sequences, done.truncated) == (0, 1, False)
    assert done.seconds["talker"] == 0 and done.seconds["prepare"] > 0 and done.seconds["flow"] > 0
    assert pitch_hz(heard(spoken[1])) > 165 > 145 > pitch_hz(heard(recording(events)))


@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("faster_whisper", "jiwer", *PARTS)),
    reason="the listen group is not installed",
)
def test_a_conversion_is_understood(runner: asyncio.Runner, engine: LocalEngine, spoken: list[Recording]) -> None:
    """A listener hears at most a quarter of the words wrong."""
    listener = Listener()
    scores: list[Score] = []
    for text, source in zip(TEXTS, spoken):
        events = runner.run(speak(engine, converted(source), []))
        scores.append(listener.score(heard(recording(events)), text))
    assert error_rate(scores)[0] <= 0.25, scores


def test_a_long_source_is_cut_at_its_silences(
    runner: asyncio.Runner, engine: LocalEngine, spoken: list[Recording]
) -> None:
    """More than 30 s become two sequences without anything missing; twice as fast they are half as long."""
    pause = b"\0\0" * 12000
    pcm = pause.join(r.pcm for r in spoken * 4)[: 2 * 24000 * 31]
    events = runner.run(speak(engine, converted(Recording(pcm, 24000), speed=2.0, service_class="batch"), []))
    done = closing(events)
    assert done.sequences == 2 and len(done.speech_tokens) == 31 * 25
    assert len(sound(events)) / 24000 == pytest.approx(15.5, abs=0.05)


def test_a_conversion_stops_at_the_lead(runner: asyncio.Runner, engine: LocalEngine, spoken: list[Recording]) -> None:
    """A second of sound is made only when the listener has less ahead than it may; cancelling it leaves nothing."""

    async def listen() -> None:
        events: list[Event] = []
        came_s: list[float] = []

        def put(event: Event) -> None:
            events.append(event)
            if isinstance(event, Audio):
                came_s.append(asyncio.get_running_loop().time())
                ahead_s = event.start_s - (came_s[-1] - came_s[0])
                # What is ready is less than 0.7 s. The first sound may have come late on a busy machine.
                assert ahead_s < 1.5, f"{ahead_s} s ahead at {event.start_s} s"

        source = Recording(b"".join(r.pcm for r in spoken), 24000)
        utterance = engine.open(converted(source, max_lead_s=0.7), put)
        await eventually(lambda: len(came_s) >= 5, 60)
        utterance.cancel()
        assert not any((await engine.held()).values()) and not any(isinstance(e, Done) for e in events)

    runner.run(listen())


def test_cancelling_while_the_source_is_prepared_ends_that(
    runner: asyncio.Runner, engine: LocalEngine, spoken: list[Recording]
) -> None:
    """Nothing is prepared any more, and no event comes."""

    async def interrupt() -> None:
        events: list[Event] = []
        utterance = engine.open(converted(spoken[0]), events.append)
        while (await engine.held())["preparations"] == 0:
            pass
        utterance.cancel()
        while any((await engine.held()).values()):
            pass
        assert events == []

    runner.run(asyncio.wait_for(interrupt(), 60))


def test_a_target_is_met_by_all_sequences_together(
    runner: asyncio.Runner, engine: LocalEngine, front: TextFront
) -> None:
    """Sound begins when all tokens are there; every sequence has the same speed, which is told, and the length is the
    target's."""

    async def dub(target_s: float | None) -> list[Event]:
        stream = EventStream()
        utterance = engine.open(Open("target", "英文女", seed=3, target_s=target_s, max_lead_s=2.0), stream.put)
        for text in TEXTS[:2]:
            utterance.feed(read(front, text))
            utterance.flush("")
        utterance.end()
        return [event async for event in stream]

    natural = closing(runner.run(dub(None)))
    target_s = natural.seconds["audio"] * 0.8
    events = runner.run(dub(target_s))
    done = closing(events)
    assert done.speech_tokens == natural.speech_tokens and done.sequences == 2
    first = next(e for e in events if isinstance(e, Audio))
    assert first.tokens == len(done.speech_tokens) and first.start_s == 0
    assert done.seconds["target"] == target_s and done.seconds["speed"] == pytest.approx(1.25, abs=0.02)
    assert len(sound(events)) / 24000 == done.seconds["audio"] == pytest.approx(target_s, abs=0.05)
    assert "speed" not in natural.seconds


@pytest.mark.parametrize(("factor", "speed"), [(0.1, 2.0), (5.0, 0.5)])
def test_a_target_out_of_reach_is_told(
    runner: asyncio.Runner, engine: LocalEngine, spoken: list[Recording], factor: float, speed: float
) -> None:
    """The speed stays within its bounds, and the length is what that gives."""
    source_s = len(spoken[0].pcm) / 48000
    done = closing(runner.run(speak(engine, converted(spoken[0], target_s=source_s * factor), [])))
    assert done.seconds["speed"] == speed and done.seconds["target"] == source_s * factor
    assert done.seconds["audio"] == pytest.approx(source_s / speed, abs=0.02)


def test_a_crash_changes_neither_conversion_nor_target(
    runner: asyncio.Runner, engine: LocalEngine, front: TextFront, spoken: list[Recording]
) -> None:
    """What was open goes on where it was: the same tokens, speed and length, no sample missing or twice."""
    source = Recording(spoken[0].pcm + spoken[1].pcm, 24000)
    requests = [converted(source, target_s=4.0), Open("v", "英文女", seed=5, target_s=6.0)]
    texts: list[list[Segment]] = [[], read(front, " ".join(TEXTS[:3]))]

    async def together(*, disturbed: bool) -> list[list[Event]]:
        left = [engine.processes["acoustic"].pid] if disturbed else []

        def kill(event: Event) -> None:
            if isinstance(event, Audio) and event.start_s > 0.5 and left:
                pid = left.pop()
                assert pid is not None
                os.kill(pid, signal.SIGKILL)

        return await asyncio.gather(*(speak(engine, r, t, kill) for r, t in zip(requests, texts)))

    deaths = engine.processes["acoustic"].deaths
    before, after = (runner.run(together(disturbed=d)) for d in (False, True))
    runner.run(eventually(lambda: engine.ready, 60))
    assert engine.processes["acoustic"].deaths == deaths + 1
    for one, other in zip(before, after, strict=True):
        assert closing(other).speech_tokens == closing(one).speech_tokens
        assert closing(other).seconds["speed"] == closing(one).seconds["speed"]
        expected, found = sound(one), sound(other)
        assert len(found) == len(expected) and np.abs(found - expected).max() <= 0.02 * 32767


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"source_audio": None}, "bad_message", "mode vc: expected source_audio"),
        ({"source_audio": SILENCE}, "bad_audio", "source_audio: expected speech, found silence"),
        ({"source_audio": Recording(b"\1\0" * 100, 16000)}, "bad_audio", "source_audio: expected 0.1 to 300 s"),
        ({"prompt_audio": SILENCE}, "bad_audio", "prompt_audio: expected speech, found silence"),
        ({"voice": "nobody"}, "unknown_voice", "nobody"),
        ({"instruct_text": "Shout."}, "bad_message", "mode vc: expected no instruction"),
        ({"target_s": -1.0}, "bad_message", "target_s"),
    ],
)
def test_what_cannot_be_converted_fails_by_name(
    runner: asyncio.Runner,
    engine: LocalEngine,
    spoken: list[Recording],
    change: dict[str, object],
    code: str,
    message: str,
) -> None:
    """The utterance fails with a code and a sentence; the engine goes on."""
    (failed,) = runner.run(speak(engine, converted(spoken[0], **change), []))
    assert isinstance(failed, Failed) and failed.code == code
    assert all(part in failed.message for part in message.split(".*"))


def test_a_conversion_takes_no_text(
    runner: asyncio.Runner, engine: LocalEngine, front: TextFront, spoken: list[Recording]
) -> None:
    """Text fails it by name."""
    failed = runner.run(speak(engine, converted(spoken[0]), read(front, "Hello.")))[-1]
    assert isinstance(failed, Failed) and failed.code == "bad_message" and "expected no text" in failed.message


def test_modes_and_voices_are_told(engine: LocalEngine) -> None:
    """What this checkpoint can do, and who speaks."""
    assert engine.info.modes == ["sft", "vc", "instruct", "zero_shot", "cross_lingual"] and engine.info.clones
    assert [v.name for v in engine.info.voice_details] == engine.info.voices
    assert engine.info.voice_details[3].gender == "male"
