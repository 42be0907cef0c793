"""The embedded checkpoint clones voices: transcripts are read to phonemes by the preparer where there is no reader."""

from __future__ import annotations

import asyncio

import pytest

from rtserver.engine.host.local import LocalEngine
from rtserver.ipc.engine import Failed, Open, Started
from rtserver.reader.text_front import TextFront
from tests.rtserver.engine.host.speaking import closing, read, sound, speak
from tests.rtserver.engine.host.test_released_modes import TRANSCRIPT, recording

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("nano engine")]


def test_a_recording_and_what_it_says_make_a_voice(
    runner: asyncio.Runner, engine: LocalEngine, front: TextFront
) -> None:
    """Recording and transcript are prepared once; whole and streaming text is spoken, without a transcript too; one in
    which nothing can be said is refused by name."""
    segments = read(front, "Hello there, how are you today?")

    async def scenario() -> None:
        assert engine.info.clones and "zero_shot" in engine.info.modes
        prompt = {"prompt_audio": recording(), "prompt_text": TRANSCRIPT}
        first = await speak(engine, Open("a", "", seed=1, **prompt), segments)  # type: ignore[arg-type]
        assert closing(first).seconds["prepare"] > 0 and len(sound(first)) > 12000
        again = await speak(engine, Open("b", "", "zero_shot", seed=1, streaming=True, **prompt), segments)  # type: ignore[arg-type]
        assert "prepare" not in closing(again).seconds and len(sound(again)) > 12000
        started = again[0]
        # 3 s of prompt are five blocks of 15 codes and 12 text ids, and a sixth has room.
        assert isinstance(started, Started) and 0 < started.text_ids_before_audio < 6 * 12
        crossed = await speak(engine, Open("c", "", "cross_lingual", prompt_audio=recording()), segments)
        assert "prepare" not in closing(crossed).seconds and len(sound(crossed)) > 12000
        failed = (await speak(engine, Open("d", "", prompt_audio=recording(), prompt_text="!"), segments))[-1]
        assert isinstance(failed, Failed) and failed.code == "bad_message"
        assert failed.message.startswith("prompt_text: expected words")

    runner.run(scenario())
