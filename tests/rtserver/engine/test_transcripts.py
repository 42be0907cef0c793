"""Transcripts of voice prompts: read where text ids are phonemes, before the voice is used, and kept."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.model.random_checkpoint import SMALL, speaker_network, write_checkpoint
from cosyvoice.config import ModelConfig
from cosyvoice.frontend.tokenizer import Tokenizer
from cosyvoice.models import NANO
from cosyvoice.voice.prompt_cache import pack_prompt
from rtserver.engine import transcripts as module
from rtserver.engine.acoustic.models import AcousticModels
from rtserver.engine.acoustic.voices import Voices
from rtserver.engine.transcripts import Transcripts
from rtserver.ipc.engine import Open
from rtserver.ipc.preparing import PreparationKey, Prepare, Prepared, Recording

NOISE = np.random.default_rng(0).normal(0, 3000, 24000).astype("<i2")
PROMPT = Recording(NOISE.tobytes(), 24000).without_samples()
SPOKEN = Open("u", "", prompt_audio=PROMPT, prompt_text="Room seven.")


def transcripts(model: Path) -> Transcripts:
    config = ModelConfig.load(model)
    return Transcripts(config, Tokenizer.load(config))


@pytest.fixture
def voices(tmp_path: Path) -> Voices:
    """The embedded checkpoint with a speaker network, that knows the recording."""
    model = tmp_path / "model"
    shutil.copytree(NANO, model)
    (model / "campplus.onnx").write_bytes(speaker_network(outputs=192))
    serving = json.loads((model / "serving.json").read_text(encoding="utf-8"))
    serving["modes"] += ["zero_shot", "cross_lingual"]
    (model / "serving.json").write_text(json.dumps(serving), encoding="utf-8")
    made = AcousticModels(model, kv_bytes=64 << 20, cache_dir=tmp_path / "cache").voices
    prompt = made.store.encoder.encode(NOISE.astype(np.float32) / np.float32(32768), 24000, "")
    made.adopt(Prepared(PreparationKey("recording", PROMPT.digest), prompt=pack_prompt(prompt)))
    return made


@pytest.mark.model
def test_a_transcript_is_prepared_once_and_given_to_the_talker(voices: Voices) -> None:
    """It is missing at first; then its ids stand before the text, in every mode that tells the talker of them."""
    wanted = Prepare(PreparationKey("transcript", "Room seven."))
    assert voices.missing(SPOKEN) == [wanted]
    assert voices.missing(replace(SPOKEN, mode="cross_lingual")) == []
    voices.adopt(Prepared(wanted.key, ids=[7, 8, 9]))
    assert voices.missing(SPOKEN) == []
    talker = voices.voice(SPOKEN).talker
    assert (talker.head, talker.transcript, len(talker.speech)) == ((2,), (7, 8, 9), 28)  # with 0.1 s of silence
    assert voices.voice(replace(SPOKEN, prompt_text="")).talker.transcript == ()


@pytest.mark.model
def test_a_stored_voice_brings_its_own(voices: Voices) -> None:
    """Nothing is missing, and the ids are those of spk2info.pt."""
    request = Open("u", "英文女", "zero_shot")
    assert voices.missing(request) == []
    prompt = voices.store.prepare(voices.store.resolve("英文女"))
    assert prompt.text_ids is not None
    assert voices.voice(request).talker.transcript == prompt.text_ids[prompt.text_ids.index(2) + 1 :]


def test_text_ids_of_the_text_itself_need_no_reading(tmp_path: Path) -> None:
    """A released checkpoint's transcripts are encoded as the original does it."""
    write_checkpoint(tmp_path, SMALL)
    released = transcripts(tmp_path)
    assert released.is_known("Room 7.")
    assert list(released.ids("Room 7.")) == Tokenizer.load(ModelConfig.load(tmp_path)).encode("Room 7.")


def test_only_the_last_ones_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that was not used for longest goes, and is read again."""
    monkeypatch.setattr(module, "MAX_TRANSCRIPTS", 2)
    nano = transcripts(NANO)
    first = nano.ids("One.")
    nano.ids("Two.")
    assert nano.ids("One.") == first
    nano.keep("Three.", (1,))
    assert [nano.is_known(text) for text in ("One.", "Two.", "Three.", " ")] == [True, False, True, True]
