"""The embedded checkpoint with a speaker network clones voices: transcripts are read to phonemes by the preparer."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from bench.model.random_checkpoint import speaker_network
from cosyvoice.config import ModelConfig
from cosyvoice.models import NANO
from rtserver.engine.host.local import LocalEngine
from rtserver.ipc.engine import Failed, Open, Started
from rtserver.reader.text_front import TextFront
from tests.rtserver.engine.host.engine_options import local_options
from tests.rtserver.engine.host.test_local import closing, read, sound, speak
from tests.rtserver.engine.host.test_released_modes import TRANSCRIPT, recording

pytestmark = pytest.mark.engine


@pytest.fixture
def model(tmp_path: Path) -> Path:
    directory = tmp_path / "model"
    shutil.copytree(NANO, directory)
    (directory / "campplus.onnx").write_bytes(speaker_network(outputs=192))
    serving = json.loads((NANO / "serving.json").read_text(encoding="utf-8"))
    serving["modes"] = ["sft", "zero_shot", "cross_lingual", "vc"]
    (directory / "serving.json").write_text(json.dumps(serving), encoding="utf-8")
    return directory


def test_a_recording_and_what_it_says_make_a_voice(model: Path) -> None:
    """Recording and transcript are prepared once; whole and streaming text is spoken, without a transcript too; one in
    which nothing can be said is refused by name."""

    async def scenario() -> None:
        segments = read(TextFront(ModelConfig.load(model)), "Hello there, how are you today?")
        engine = await LocalEngine.start(local_options(model, model / "cache", warm_voices=()))
        try:
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
        finally:
            await engine.close()

    asyncio.run(scenario())
