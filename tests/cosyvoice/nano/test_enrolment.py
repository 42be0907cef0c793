"""A recording that a voice is cloned from becomes what the trainings have seen of it as part of the corpus."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.model.random_checkpoint import speaker_network
from cosyvoice.models import NANO
from cosyvoice.nano.data.codes import TOKENIZER_FILE
from cosyvoice.nano.data.features import features_of, whole_codes
from cosyvoice.nano.speaker.network import SpeakerEncoder
from cosyvoice.nano.speaker.training import SPEAKER_FILE, write_encoder
from cosyvoice.voice.features import fbank_minus_mean, resample
from cosyvoice.voice.onnx_network import OnnxNetwork
from cosyvoice.voice.prompt import PromptEncoder
from cosyvoice.voice.recording import read_wave
from cosyvoice.voice.store import SHIPPED_VOICES


def directory(tmp_path: Path) -> Path:
    """With the frozen tokenizer and a stand-in for the speaker network."""
    shutil.copy(NANO / TOKENIZER_FILE, tmp_path)
    (tmp_path / SPEAKER_FILE).write_bytes(speaker_network(outputs=192))
    return tmp_path


def spoken() -> np.ndarray:
    """Speech at 24 kHz that ends in a tenth of a second of silence, as the corpus's does."""
    wave, rate_hz = read_wave(SHIPPED_VOICES / "en_female.wav")
    assert rate_hz == 24000
    return whole_codes(np.concatenate([wave[:60000], np.zeros(4800, np.float32)]))


@pytest.mark.model
def test_a_prompt_has_the_mel_and_the_codes_of_the_corpus(tmp_path: Path) -> None:
    """The same numbers, frame by frame and code by code."""
    wave = spoken()
    prompt = PromptEncoder(directory(tmp_path)).encode(wave, 24000, "")
    features = features_of(wave)
    assert prompt.added_silence_s == 0.0 and len(prompt.mel) == len(features["mel"]) == 2 * len(prompt.speech_tokens)
    assert np.abs(prompt.mel.numpy() - features["mel"]).max() < 1e-5
    whisper = np.ascontiguousarray(features["whisper"].T[None])
    codes = OnnxNetwork(NANO / TOKENIZER_FILE).run(whisper, np.array([whisper.shape[2]], np.int32))[0]
    assert codes.tolist() == list(prompt.speech_tokens)


@pytest.mark.model
def test_another_rate_changes_little(tmp_path: Path) -> None:
    """The same recording at 48 kHz: nearly all codes, and the mel below the edge of the band."""
    wave, encoder = spoken(), PromptEncoder(directory(tmp_path))
    wide = resample(torch.from_numpy(wave), 24000, 48000).numpy()
    one, other = encoder.encode(wave, 24000, ""), encoder.encode(wide, 48000, "")
    same = [a == b for a, b in zip(one.speech_tokens, other.speech_tokens)]
    assert len(one.speech_tokens) == len(other.speech_tokens) and np.mean(same) > 0.9
    assert (one.mel[:, :70] - other.mel[:, :70]).abs().mean() < 0.05


def test_the_encoder_hears_the_whole_recording(tmp_path: Path) -> None:
    """Its vector is that of the trained network for the filter banks that the training computes."""
    pytest.importorskip("onnx")
    torch.manual_seed(0)
    network, wave = SpeakerEncoder().eval(), spoken()
    write_encoder(network, directory(tmp_path) / SPEAKER_FILE)
    found = PromptEncoder(tmp_path).speaker(wave, 24000)
    with torch.no_grad():
        expected = network(fbank_minus_mean(resample(torch.from_numpy(wave), 24000, 16000))[None])[0]
    assert (found - expected).abs().max() < 1e-4
