"""Voices from recordings in all modes, by the engine's processes, with a checkpoint of the released form."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import wave
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bench.model.random_checkpoint import SMALL, write_checkpoint
from cosyvoice.config import ModelConfig
from cosyvoice.voice.modes import MODES
from cosyvoice.voice.store import SHIPPED_VOICES
from rtserver.engine.api import Event
from rtserver.engine.host.local import LocalEngine
from rtserver.ipc.engine import Done, Failed, Open, Started
from rtserver.ipc.preparing import Recording
from rtserver.ipc.reading import Segment
from rtserver.reader.text_front import TextFront
from tests.rtserver.engine.host.engine_options import local_options
from tests.rtserver.engine.host.speaking import closing, read, sound, speak
from tests.rtserver.serving import eventually

pytestmark = pytest.mark.engine

TRANSCRIPT = "My sister is learning to play the piano this year."


def recording(name: str = "en_female", seconds: float = 3.0) -> Recording:
    """The first seconds of a shipped recording."""
    with wave.open(str(SHIPPED_VOICES / f"{name}.wav")) as wav:
        return Recording(wav.readframes(round(seconds * wav.getframerate())), wav.getframerate())


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("model")
    write_checkpoint(directory, SMALL)
    return directory


@pytest.fixture(scope="module")
def segments(model: Path) -> list[Segment]:
    return read(TextFront(ModelConfig.load(model)), "Hello.")


@pytest.fixture(scope="module")
def engine(runner: asyncio.Runner, model: Path) -> Iterator[LocalEngine]:
    options = local_options(model, model / "cache", warm_voices=())
    made = runner.run(LocalEngine.start(options))
    yield made
    assert not any(runner.run(made.held()).values())
    runner.run(made.close())


@pytest.fixture
def say(runner: asyncio.Runner, engine: LocalEngine, segments: list[Segment]) -> Say:
    return Say(runner, engine, segments)


_NUMBERS = itertools.count()  # no name may be used twice in one engine


class Say:
    """Speaks a short text as a request asks."""

    def __init__(self, runner: asyncio.Runner, engine: LocalEngine, segments: list[Segment]) -> None:
        self.run, self._engine, self._segments = runner.run, engine, segments

    async def later(self, **change: object) -> list[Event]:
        request = replace(Open(f"u{next(_NUMBERS)}", "nobody", seed=1), **change)  # type: ignore[arg-type]
        return await speak(self._engine, request, [] if request.mode == "vc" else self._segments)

    def __call__(self, **change: object) -> list[Event]:
        return self.run(self.later(**change))


def spoken(events: list[Event]) -> Done:
    """The end of an utterance that sounded in the voice of a recording."""
    started, done = events[0], closing(events)
    assert isinstance(started, Started) and started.voice == "recording"
    assert len(sound(events)) >= 960 * len(done.speech_tokens) // 2 > 0
    return done


def test_it_can_do_all_modes(engine: LocalEngine) -> None:
    """And says so before anybody asks. Without a serving.json it is of the released class."""
    assert engine.info.model == "Fun-CosyVoice3-0.5B"
    assert engine.info.modes == list(MODES) and engine.info.clones


def test_a_recording_is_prepared_once_for_all_modes(say: Say) -> None:
    """zero_shot needs seconds at first; every other mode of the same recording, and other texts of it, do not."""
    one = recording()
    first = spoken(say(mode="zero_shot", prompt_audio=one, prompt_text=TRANSCRIPT))
    assert first.seconds["prepare"] > 0
    again = spoken(say(mode="zero_shot", prompt_audio=one, prompt_text=TRANSCRIPT))
    assert again.speech_tokens == first.speech_tokens
    later = [
        again,
        spoken(say(mode="zero_shot", prompt_audio=one, prompt_text="Something else.")),
        spoken(say(mode="cross_lingual", prompt_audio=one)),
        spoken(say(mode="instruct", prompt_audio=one, instruct_text="Whisper.")),
        spoken(say(prompt_audio=one)),
    ]
    assert not any("prepare" in done.seconds for done in later)
    tokens = [tuple(done.speech_tokens) for done in later]
    assert len(set(tokens[:4])) == 4 and tokens[4] == tokens[2]  # sft without transcript speaks as cross_lingual


def test_sft_with_a_transcript_speaks_as_zero_shot(say: Say) -> None:
    """The same tokens from the same seed; streaming text too gets a voice from a recording."""
    one = recording("en_male")
    zero_shot = spoken(say(mode="zero_shot", prompt_audio=one, prompt_text=TRANSCRIPT))
    sft = spoken(say(prompt_audio=one, prompt_text=TRANSCRIPT))
    assert sft.speech_tokens == zero_shot.speech_tokens
    assert spoken(say(prompt_audio=one, prompt_text=TRANSCRIPT, streaming=True)).text_ids == sft.text_ids


def test_modes_of_a_voice_of_the_catalogue(say: Say) -> None:
    """A shipped voice has its own recording and transcript."""
    for mode, instruction in (("sft", ""), ("zero_shot", ""), ("cross_lingual", ""), ("instruct", "Whisper.")):
        events = say(voice="英文女", mode=mode, instruct_text=instruction)
        started = events[0]
        assert isinstance(started, Started) and started.voice == "英文女" and len(sound(events)) > 0
        assert closing(events).text_ids == 6


def test_two_who_bring_the_same_recording_wait_for_one_preparation(say: Say) -> None:
    """Both sound; the one with another transcript too."""

    async def together() -> list[list[Event]]:
        one = recording(seconds=2.5)
        texts = (TRANSCRIPT, "Something else.")
        return await asyncio.gather(*(say.later(prompt_audio=one, prompt_text=t) for t in texts))

    first, second = (spoken(events) for events in say.run(together()))
    assert first.seconds["prepare"] == pytest.approx(second.seconds["prepare"], abs=0.5)


def test_a_conversion_into_the_voice_of_a_recording(say: Say) -> None:
    """Both recordings are prepared; the sound is as long as the source."""
    done = spoken(events := say(mode="vc", prompt_audio=recording(seconds=2.0), source_audio=recording("zh_male")))
    assert len(done.speech_tokens) == 75 and len(sound(events)) == 3 * 24000


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"prompt_audio": Recording(b"\0\0" * 24000, 24000)}, "bad_audio", "prompt_audio: expected speech, found"),
        ({"prompt_audio": recording(seconds=0.4)}, "bad_audio", "prompt_audio: expected 0.5 to 30 s"),
        ({"mode": "zero_shot", "prompt_audio": recording()}, "bad_message", "expected prompt_text"),
        ({"mode": "instruct", "prompt_audio": recording()}, "bad_message", "expected an instruction"),
        ({"prompt_audio": recording(), "prompt_text": "a" * 2000}, "bad_message", "at most 1280 ids"),
    ],
)
def test_what_cannot_be_fails_by_name(say: Say, change: dict[str, object], code: str, message: str) -> None:
    """The utterance fails with a code and a sentence."""
    failed = say(**change)[-1]
    assert isinstance(failed, Failed) and failed.code == code and message in failed.message


def test_a_new_process_finds_recordings_on_disk(say: Say, engine: LocalEngine) -> None:
    """After a crash nothing is encoded again."""
    one = recording(seconds=2.8)
    before = spoken(say(prompt_audio=one, prompt_text=TRANSCRIPT))
    pid = engine.processes["acoustic"].pid
    assert before.seconds["prepare"] > 0 and pid is not None
    os.kill(pid, signal.SIGKILL)
    say.run(eventually(lambda: not engine.ready, 10))
    after = spoken(say(prompt_audio=one, prompt_text=TRANSCRIPT))
    assert "prepare" not in after.seconds and after.speech_tokens == before.speech_tokens


def test_a_crash_during_the_preparation_is_survived(say: Say, engine: LocalEngine) -> None:
    """The next process asks again, and the utterance speaks."""

    async def disturbed() -> list[Event]:
        speaking = asyncio.create_task(say.later(prompt_audio=recording(seconds=2.9)))
        while (await engine.held())["preparations"] == 0:
            pass
        pid = engine.processes["acoustic"].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        return await speaking

    spoken(say.run(asyncio.wait_for(disturbed(), 60)))
    say.run(eventually(lambda: engine.ready, 60))
