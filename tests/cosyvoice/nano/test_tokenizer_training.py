"""Training of a speech tokenizer: its codes keep the released contract, steps lower the losses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from cosyvoice.models import NANO
from cosyvoice.nano.data import features
from cosyvoice.nano.data.digits import DIGITS, LEVELS, digits, related_vectors
from cosyvoice.nano.tokenizer.network import CodeIndices, TokenizerNetwork
from cosyvoice.nano.tokenizer.training import TokenizerSettings, TokenizerTraining, write_encoder
from cosyvoice.voice.onnx_network import OnnxNetwork
from tests.cosyvoice.nano.corpora import speak

pytestmark = pytest.mark.model


def test_codes_are_made_of_digits() -> None:
    """Every code has its own digits, and they add up to it."""
    codes = torch.arange(LEVELS**DIGITS)
    found = digits(codes)
    assert found.shape == (2187, 7) and int(found.min()) == 0 and int(found.max()) == 2
    assert torch.equal((found * LEVELS ** torch.arange(DIGITS)).sum(-1), codes)


def test_codes_that_share_digits_have_vectors_alike() -> None:
    """A code is nearer to one that differs in a digit than to one that differs in all."""
    vectors = torch.nn.functional.normalize(related_vectors(64, torch.Generator().manual_seed(0)), dim=1)
    assert float(vectors[0] @ vectors[1]) > float(vectors[0] @ vectors[LEVELS**DIGITS - 1]) + 0.3


def test_the_encoder_rounds_to_three_steps_and_passes_gradients() -> None:
    """What comes out is -1, 0 or 1, and the first layer learns all the same."""
    torch.manual_seed(0)
    network = TokenizerNetwork(2, 20)
    rounded, smooth = network.encoder(torch.randn(2, 128, 80), torch.ones(2, 20, 1))
    assert set(rounded.detach().round(decimals=4).unique().tolist()) <= {-1.0, 0.0, 1.0}
    assert rounded.shape == smooth.shape == (2, 20, DIGITS)
    rounded.sum().backward()
    gradient = network.encoder.first.weight.grad
    assert gradient is not None and float(gradient.abs().sum()) > 0


def test_the_export_keeps_the_released_contract(tmp_path: Path) -> None:
    """Mel and its length in, int32 codes out, the same as torch's, for any length."""
    pytest.importorskip("onnx")
    torch.manual_seed(0)
    network = TokenizerNetwork(2, 20).eval()
    write_encoder(network, tmp_path / "tokenizer.onnx")
    exported = OnnxNetwork(tmp_path / "tokenizer.onnx")
    for frames in (96, 203):
        mel = torch.randn(1, 128, frames)
        codes = exported.run(mel.numpy(), np.array([frames], np.int32))
        assert codes.dtype == np.int32 and codes.shape == (1, frames // 4)
        with torch.no_grad():
            expected = CodeIndices(network.encoder)(mel, torch.tensor([frames], dtype=torch.int32)).numpy()
        assert (codes == expected).mean() > 0.99


def test_steps_lower_both_losses(tmp_path: Path) -> None:
    """A few steps on one batch bring mel and phonemes nearer."""
    speak(tmp_path, {"hibari": 8, "mix-zh-001": 2})
    features.run(tmp_path)
    training = TokenizerTraining(tmp_path, NANO, TokenizerSettings(frames_a_step=1000))
    (batch, *_) = training.epoch(0, training.utterances())
    torch.manual_seed(0)
    losses = [training.step(batch, 0.0) for _ in range(12)]
    assert losses[-1]["mel"] < 0.8 * losses[0]["mel"]
    assert losses[-1]["ctc"] < 0.8 * losses[0]["ctc"]
