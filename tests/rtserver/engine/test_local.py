"""The engine's processes with the real models of the embedded checkpoint."""

import asyncio
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cosyvoice.config import ModelConfig
from cosyvoice.models import NANO
from rtserver.engine.engine import EngineError, Event
from rtserver.engine.local import LocalEngine, LocalOptions
from rtserver.messages import Audio, Done, Failed, Open, Progress, Segment, Started
from rtserver.text import TextFront, engine_segments

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


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as made:
        yield made


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def front() -> TextFront:
    return TextFront(ModelConfig.load(NANO))


@pytest.fixture(scope="module")
def engine(runner: asyncio.Runner, cache: Path) -> Iterator[LocalEngine]:
    made = runner.run(LocalEngine.start(NANO, LocalOptions(cache_dir=cache)))
    yield made
    pids = list(made.process_ids.values())
    runner.run(made.close())
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def read(front: TextFront, text: str) -> list[Segment]:
    stream = front.stream()
    return engine_segments([*stream.feed(text), *stream.end()])


async def speak(engine: LocalEngine, request: Open, segments: list[Segment]) -> list[Event]:
    """All events of one utterance whose text comes at once."""
    utterance = await engine.open(request)
    await utterance.feed(segments)
    await utterance.end()
    return [event async for event in utterance.events()]


def closing(events: list[Event]) -> Done:
    done = events[-1]
    assert isinstance(done, Done), done
    return done


def test_an_utterance_speaks(runner: asyncio.Runner, engine: LocalEngine, front: TextFront) -> None:
    """Started first, audio without gap or repeat, done last with the same length."""
    events = runner.run(speak(engine, Open("one", "英文女"), read(front, TEXTS[0])))
    started, *audio = events[:-1]
    assert started == Started("one", "英文女", 28)
    samples = 0
    for event in audio:
        assert isinstance(event, Audio) and event.start_s == pytest.approx(samples / 24000)
        samples += len(event.pcm) // 2
    done = closing(events)
    assert done.seconds["audio"] == pytest.approx(samples / 24000)
    assert samples == len(done.speech_tokens) * 960 and not done.truncated
    assert {"talker", "flow", "vocoder", "wall", "ttfa"} <= done.seconds.keys()


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
    """With the text still open, sound comes; the rest of the text follows it."""

    async def converse() -> tuple[list[Event], list[Event]]:
        utterance = await engine.open(Open("stream", "英文女", streaming=True))
        events = utterance.events()
        await utterance.feed(read(front, "The meeting was moved to Thursday afternoon, because of the storm."))
        early: list[Event] = []
        while not any(isinstance(e, Audio) for e in early):
            early.append(await asyncio.wait_for(anext(events), 20))
        await utterance.feed(read(front, "Everybody knows about it."))
        await utterance.end()
        return early, [e async for e in events]

    early, late = runner.run(converse())
    assert isinstance(early[-1], Audio)
    assert closing(late).text_ids > 60 and sum(isinstance(e, Audio) for e in late) >= 2


def test_cancel_is_silent_and_harms_nobody(runner: asyncio.Runner, engine: LocalEngine, front: TextFront) -> None:
    """No event follows a cancel; its name is free; others go on."""

    async def interrupt() -> tuple[int, list[Event]]:
        utterance = await engine.open(Open("cut", "英文女"))
        await utterance.feed(read(front, " ".join(TEXTS)))
        await utterance.end()
        other = asyncio.create_task(speak(engine, Open("other", "英文男"), read(front, TEXTS[1])))
        events = utterance.events()
        while not isinstance(await anext(events), Audio):
            pass
        await utterance.cancel()
        waiting = utterance.pending_events
        await other
        again = await speak(engine, Open("cut", "英文女"), read(front, TEXTS[1]))
        assert utterance.pending_events == waiting
        return waiting, [*await other, *again]

    _, events = runner.run(interrupt())
    assert sum(isinstance(e, Done) for e in events) == 2


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"voice": "nobody"}, "unknown_voice", "nobody"),
        ({"mode": "sing"}, "unknown_voice", "sing"),
        ({"mode": "instruct", "instruct_text": "fast"}, "unknown_voice", "instruct"),
        ({"speed": 3.0}, "bad_message", r"0.5 to 2.0"),
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


@pytest.mark.parametrize("victim", ["talker", "acoustic"])
def test_a_killed_process_is_noticed(runner: asyncio.Runner, cache: Path, front: TextFront, victim: str) -> None:
    """Open utterances fail with engine_lost and the reason, later ones are refused, the other process ends."""

    async def kill() -> tuple[list[Event], list[int]]:
        engine = await LocalEngine.start(NANO, LocalOptions(cache_dir=cache))
        utterance = await engine.open(Open("u", "英文女"))
        await utterance.feed(read(front, " ".join(TEXTS * 4)))
        await utterance.end()
        events = utterance.events()
        seen = [await anext(events), await anext(events)]
        os.kill(engine.process_ids[victim], signal.SIGKILL)
        seen += [e async for e in events]
        with pytest.raises(EngineError, match=f"the {victim}"):
            await engine.open(Open("later", "英文女"))
        await engine.close()
        return seen, list(engine.process_ids.values())

    events, pids = runner.run(kill())
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    failed = events[-1]
    assert isinstance(failed, Failed) and failed.code == "engine_lost"
    assert f"the {victim} process was killed by signal 9" in failed.message


def test_a_broken_checkpoint_stops_the_start_by_name(runner: asyncio.Runner, tmp_path: Path) -> None:
    """The error names the broken file; both processes are gone afterwards; progress was told."""
    for path in NANO.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "flow.safetensors").unlink()
    (tmp_path / "flow.safetensors").write_bytes(b"\x10\x00")
    told: list[Progress] = []
    with pytest.raises(EngineError, match=r"flow\.safetensors: expected a complete state dict, found 2 bytes"):
        runner.run(LocalEngine.start(tmp_path, LocalOptions(), told.append))
    assert {p.part for p in told} <= {"acoustic", "talker"} and told
