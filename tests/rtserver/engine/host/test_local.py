"""The engine's processes with the real models of the embedded checkpoint."""

import asyncio
import os
import signal
from dataclasses import replace

import numpy as np
import pytest

from cosyvoice.config import ModelConfig
from cosyvoice.models import NANO
from rtserver.engine.api import Event, EventStream
from rtserver.engine.host.local import LocalEngine
from rtserver.ipc.engine import Audio, Done, Failed, Flushed, Hungry, Open, Started
from rtserver.ipc.reading import Segment
from rtserver.reader.text_front import TextFront
from tests.rtserver.engine.host.speaking import closing, read, sound, speak
from tests.rtserver.serving import eventually

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("nano engine")]

TEXTS = [
    "Good morning, this is the front desk.",
    "The lights are off.",
    "Please wait a moment while I look for your account.",
    "It rained all night, so the path was muddy.",
    "Two more blocks, then left.",
    "The children built a bridge out of paper and string.",
    "Nobody could tell us why.",
    "Our guests arrive on Saturday and stay for a week.",
]


def test_an_utterance_speaks(runner: asyncio.Runner, engine: LocalEngine, front: TextFront) -> None:
    """Started first, audio without gap or repeat, done last with the same length; all text ids are spoken. Silence
    closes it."""
    segments = read(front, TEXTS[0])
    events = runner.run(speak(engine, Open("one", "英文女"), segments))
    started, *audio = events[:-1]
    assert started == Started("one", "英文女", 9)
    samples = len(sound(audio))
    done = closing(events)
    assert done.seconds["audio"] == pytest.approx(samples / 24000)
    closing_tokens = len(ModelConfig.load(NANO).serving.closing_ids)
    assert samples == (len(done.speech_tokens) + closing_tokens) * 960 and not done.truncated
    assert {"talker", "flow", "vocoder", "wall", "ttfa", "text_wait", "queue"} <= done.seconds.keys()
    positions = [e.text_position for e in audio if isinstance(e, Audio)]
    assert positions == sorted(positions) and positions[-1] == sum(len(s.ids) for s in segments)


def test_eight_at_once_say_what_each_says_alone(runner: asyncio.Runner, engine: LocalEngine, front: TextFront) -> None:
    """The same seeds give the same speech tokens in company; every event is one's own."""

    async def together(names: list[str]) -> list[list[Event]]:
        return await asyncio.gather(
            *(speak(engine, Open(n, "英文女", seed=i), read(front, t)) for i, (n, t) in enumerate(zip(names, TEXTS)))
        )

    batch = runner.run(together([f"b{i}" for i in range(8)]))
    for i in (0, 3, 7):
        alone = runner.run(speak(engine, Open(f"a{i}", "英文女", seed=i), read(front, TEXTS[i])))
        assert closing(batch[i]).speech_tokens == closing(alone).speech_tokens
    assert all(event.utterance == f"b{i}" for i, events in enumerate(batch) for event in events)


def test_streaming_speaks_before_the_text_is_complete(
    runner: asyncio.Runner, engine: LocalEngine, front: TextFront
) -> None:
    """With the text still open, sound comes; when it is nearly spoken the engine asks for more; the rest follows."""

    async def converse() -> list[Event]:
        stream = EventStream()
        utterance = engine.open(Open("stream", "英文女", streaming=True), stream.put)
        utterance.feed(read(front, "The meeting was moved to Thursday afternoon, because of the storm."))
        events: list[Event] = []
        async for event in stream:
            events.append(event)
            if isinstance(event, Hungry):
                utterance.feed(read(front, "Everybody knows about it."))
                utterance.end()
        return events

    events = runner.run(asyncio.wait_for(converse(), 30))
    hungry = next(i for i, e in enumerate(events) if isinstance(e, Hungry))
    assert sum(isinstance(e, Audio) for e in events[:hungry]) >= 1
    assert closing(events).text_ids > 60 and sum(isinstance(e, Audio) for e in events[hungry:]) >= 2
    assert len(sound(events)) > 0


def test_text_that_stops_is_spoken_to_its_end(runner: asyncio.Runner, engine: LocalEngine, front: TextFront) -> None:
    """With no more text coming, and no end, all of it is spoken; later text begins a new sequence, and the pause
    counts as text starvation, not as an underrun."""

    async def converse() -> tuple[float, list[Event]]:
        stream = EventStream()
        utterance = engine.open(Open("pause", "英文女", streaming=True), stream.put)
        segments = read(front, "The meeting was moved to Thursday afternoon.")
        utterance.feed(segments)
        spoken_s, events = 0.0, []
        async for event in stream:
            events.append(event)
            if isinstance(event, Audio) and event.text_position == sum(len(s.ids) for s in segments):
                spoken_s = event.start_s + len(event.pcm) / 48000
                await asyncio.sleep(spoken_s + 0.3)  # the listener hears it all, and then nothing
                utterance.feed(read(front, "Everybody knows about it."))
                utterance.end()
        return spoken_s, events

    spoken_s, events = runner.run(asyncio.wait_for(converse(), 30))
    done = closing(events)
    assert spoken_s > 1.5 and done.sequences == 2
    assert done.seconds["text_starved"] > max(0.1, done.seconds["underrun"])


def test_a_flush_is_answered_behind_its_sound(runner: asyncio.Runner, engine: LocalEngine, front: TextFront) -> None:
    """Each flush is answered once, in order, when all audio of the text before it is out; one without new text too."""

    async def converse() -> list[Event]:
        stream = EventStream()
        utterance = engine.open(Open("flush", "英文女", streaming=True), stream.put)
        utterance.flush("empty")
        utterance.feed(read(front, "The lights are off."))
        utterance.flush("a")
        utterance.flush("b")
        utterance.feed(read(front, "Nobody could tell us why."))
        utterance.flush("c")
        utterance.end()
        return [event async for event in stream]

    events = runner.run(asyncio.wait_for(converse(), 30))
    answers = [(i, e) for i, e in enumerate(events) if isinstance(e, Flushed)]
    assert [e.id for _, e in answers] == ["empty", "a", "b", "c"]
    assert [e.audio_s for _, e in answers] == [len(sound(events[:i])) / 24000 for i, _ in answers]
    assert answers[0][1].audio_s == 0 < answers[1][1].audio_s == answers[2][1].audio_s < answers[3][1].audio_s
    assert closing(events).sequences == 2


def test_work_stops_at_the_lead(runner: asyncio.Runner, engine: LocalEngine, front: TextFront) -> None:
    """No more audio is made than the listener may have ahead; its reports let the work go on."""

    async def listen() -> float:
        events: list[Event] = []
        utterance = engine.open(Open("lead", "英文女", max_lead_s=2.0), events.append)
        utterance.feed(read(front, " ".join(TEXTS)))
        utterance.end()
        await eventually(lambda: len(sound(events)) > 2 * 24000, 20)
        await asyncio.sleep(0.4)
        paused_s = len(sound(events)) / 24000
        utterance.heard(paused_s)
        await eventually(lambda: len(sound(events)) / 24000 > paused_s + 1.9, 20)
        utterance.hold(True)
        await asyncio.sleep(0.5)
        held_s = len(sound(events)) / 24000
        utterance.heard(held_s)
        await asyncio.sleep(0.5)
        assert len(sound(events)) / 24000 == held_s
        utterance.cancel()
        return paused_s

    paused_s = runner.run(listen())
    assert 2.0 <= paused_s <= 3.5


def test_cancel_is_silent_and_harms_nobody(runner: asyncio.Runner, engine: LocalEngine, front: TextFront) -> None:
    """No event follows a cancel; the others go on, and so do those that come after it."""

    async def interrupt() -> list[Event]:
        seen: list[Event] = []
        utterance = engine.open(Open("cut", "英文女"), seen.append)
        utterance.feed(read(front, " ".join(TEXTS)))
        utterance.end()
        other = asyncio.create_task(speak(engine, Open("other", "英文男"), read(front, TEXTS[1])))
        await eventually(lambda: any(isinstance(e, Audio) for e in seen), 20)
        utterance.cancel()
        before = len(seen)
        await other
        again = await speak(engine, Open("next", "英文女"), read(front, TEXTS[1]))
        assert len(seen) == before
        return [*await other, *again]

    events = runner.run(interrupt())
    assert sum(isinstance(e, Done) for e in events) == 2


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"voice": "nobody"}, "unknown_voice", "nobody"),
        ({"mode": "sing"}, "unknown_mode", "sing"),
        ({"streaming": True, "target_s": 2.0}, "bad_message", "target_s: expected a whole text"),
        ({"speed": 3.0}, "bad_message", r"0.5 to 2.0"),
        ({"resume": b"no record"}, "internal", r"resume record"),
    ],
)
def test_bad_requests_fail_by_name(
    runner: asyncio.Runner, engine: LocalEngine, change: dict[str, object], code: str, message: str
) -> None:
    """The utterance fails with a code and a sentence; the engine goes on."""
    request = replace(Open("bad", "英文女"), **change)  # type: ignore[arg-type]
    (failed,) = runner.run(speak(engine, request, []))
    assert isinstance(failed, Failed) and failed.code == code and message in failed.message


def test_ids_the_talker_lacks_fail_the_utterance_only(runner: asyncio.Runner, engine: LocalEngine) -> None:
    """A text id outside the table is refused before it reaches the talker."""
    events = runner.run(speak(engine, Open("ids", "英文女"), [Segment([10_000], 0, True)]))
    assert isinstance(events[-1], Failed) and "outside the table" in events[-1].message


def test_no_text_is_done_at_once(runner: asyncio.Runner, engine: LocalEngine) -> None:
    """An utterance without text ends without audio."""
    events = runner.run(speak(engine, Open("nothing", "英文女"), []))
    assert closing(events).seconds["audio"] == 0 and len(events) == 2


def test_speed_changes_the_length(runner: asyncio.Runner, engine: LocalEngine, front: TextFront) -> None:
    """Twice as fast is half as long, of the same tokens."""
    normal = closing(runner.run(speak(engine, Open("n", "英文女"), read(front, TEXTS[2]))))
    fast = closing(runner.run(speak(engine, Open("f", "英文女", speed=2.0), read(front, TEXTS[2]))))
    assert fast.speech_tokens == normal.speech_tokens
    assert fast.seconds["audio"] == pytest.approx(normal.seconds["audio"] / 2, abs=0.03)


def test_a_silence_is_exact(runner: asyncio.Runner, engine: LocalEngine, front: TextFront) -> None:
    """Between the same speech, which begins and ends softly: a longer one only adds zeros, to the sample."""
    before, after = "One moment please.", "There it is."

    def said(silence_ms: int, name: str) -> np.ndarray:
        segments = read(front, f"{before} [pause {silence_ms}ms] {after}")
        return sound(runner.run(speak(engine, Open(name, "英文女", seed=4), segments)))

    short, long = said(1, "q1"), said(700, "q2")
    assert len(long) - len(short) == 24 * 699
    windows = np.asarray(np.lib.stride_tricks.sliding_window_view(long == 0, 24 * 700).all(axis=1))
    at = int(np.argmax(windows))
    assert windows[at]
    assert np.abs(long[at - 240 : at]).max() < 200 and np.abs(long[at + 24 * 700 :][:240]).max() < 200
    assert np.abs(long[:at] - short[:at]).max() <= 0.02 * 32767
    rest = len(short) - at - 24
    assert np.abs(long[-rest:] - short[-rest:]).max() <= 0.02 * 32767


def test_killed_processes_are_replaced_and_nothing_is_lost(
    runner: asyncio.Runner, engine: LocalEngine, front: TextFront
) -> None:
    """Utterances open when a process dies go on where they were on the next one: the same tokens, no sample missing
    or twice, the same sound as undisturbed. The engine is not ready meanwhile, and ready again afterwards."""
    requests = [
        Open("k0", "英文女", seed=1, max_lead_s=2.0),
        Open("k1", "英文女", seed=2, speed=1.25, streaming=True),
        Open("k2", "英文男", seed=3),
    ]
    segments = [read(front, " [pause 700ms] ".join(TEXTS[i : i + 3])) for i in range(3)]

    async def together(victims: list[str]) -> list[list[Event]]:
        left = list(victims)

        def kill(event: Event) -> None:
            if isinstance(event, Audio) and event.start_s > 0.3 + len(victims) - len(left) and left:
                pid = engine.processes[left.pop(0)].pid
                assert pid is not None
                os.kill(pid, signal.SIGKILL)

        speaking = [
            asyncio.create_task(speak(engine, r, s, kill if i == 0 else lambda e: None))
            for i, (r, s) in enumerate(zip(requests, segments, strict=True))
        ]
        if victims:
            await eventually(lambda: not left and not engine.ready, 20)
        return list(await asyncio.gather(*speaking))

    deaths = [engine.processes[name].deaths for name in ("acoustic", "talker")]
    undisturbed = runner.run(together([]))
    for victims in (["acoustic"], ["talker"]):
        disturbed = runner.run(together(victims))
        for before, after in zip(undisturbed, disturbed, strict=True):
            assert closing(after).speech_tokens == closing(before).speech_tokens
            expected, found = sound(before), sound(after)
            assert len(found) == len(expected)
            assert np.abs(found - expected).max() <= 0.02 * 32767
            assert sum(isinstance(e, Started) for e in after) == 1
        runner.run(eventually(lambda: engine.ready, 60))
    assert [engine.processes[name].deaths for name in ("acoustic", "talker")] == [n + 1 for n in deaths]
