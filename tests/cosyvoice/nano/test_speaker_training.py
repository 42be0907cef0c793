"""Training of the speaker encoder: CAM++'s contract, voices that no training hears, steps that lower the loss."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from cosyvoice.nano.speaker.network import SpeakerEncoder
from cosyvoice.nano.speaker.training import SpeakerSettings, SpeakerTraining, held_out_voices, write_encoder
from cosyvoice.voice.onnx_network import OnnxNetwork
from tests.cosyvoice.nano.corpora import speak, utterance

pytestmark = pytest.mark.model


def test_the_export_keeps_the_released_contract(tmp_path: Path) -> None:
    """Filter banks [1, frames, 80] in, 192 values out, the same as torch's, for any length."""
    pytest.importorskip("onnx")
    torch.manual_seed(0)
    encoder = SpeakerEncoder().eval()
    write_encoder(encoder, tmp_path / "campplus.onnx")
    exported = OnnxNetwork(tmp_path / "campplus.onnx")
    for frames in (150, 417):
        fbank = torch.randn(1, frames, 80)
        vector = exported.run(fbank.numpy())
        assert vector.shape == (1, 192)
        with torch.no_grad():
            assert np.abs(vector - encoder(fbank).numpy()).max() < 1e-4


def test_vectors_have_length_one_also_for_silence() -> None:
    """Constant input gives a finite unit vector and finite gradients."""
    encoder = SpeakerEncoder()
    fbank = torch.zeros(2, 100, 80)
    vectors = encoder(fbank)
    vectors[:, 0].sum().backward()
    assert torch.allclose(vectors.norm(dim=1), torch.ones(2), atol=1e-5)
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in encoder.parameters())


def test_the_last_brief_voices_are_heard_in_no_training(tmp_path: Path) -> None:
    """Eight of each language are kept out; named voices never are."""
    spoken = [utterance(f"mix-{lang}-{i:03d}", 0, 1.0) for lang in ("zh", "en") for i in range(12)]
    kept = held_out_voices([*spoken, utterance("hibari", 0, 1.0)])
    assert kept == {f"mix-{lang}-{i:03d}" for lang in ("zh", "en") for i in range(4, 12)}
    speak(tmp_path, {f"mix-zh-{i:03d}": 2 for i in range(10)} | {"hibari": 3})
    training = SpeakerTraining(tmp_path, SpeakerSettings(batch=10, steps_an_epoch=20))
    heard = {one.voice for batch in training.epoch(0, training.utterances()) for one in batch}
    assert heard == {"mix-zh-000", "mix-zh-001", "hibari"}


def test_steps_lower_the_loss(tmp_path: Path) -> None:
    """A few steps bring what is heard of two voices nearer to their directions."""
    speak(tmp_path, {"hibari": 3, "am_michael": 3})
    training = SpeakerTraining(tmp_path, SpeakerSettings(batch=6, seconds=0.8, steps_an_epoch=20, named=1.0))
    losses = [training.step(batch, 0.0)["angle"] for batch in training.epoch(0, training.utterances())]
    assert np.mean(losses[-3:]) < 0.6 * losses[0]
