"""Training of the vocoder: pitch and phase of a tone, losses that are nothing for the same sound, falling losses."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cosyvoice.config import ModelConfig
from cosyvoice.models import NANO
from cosyvoice.nano.corpus.teachers import SAMPLE_RATE
from cosyvoice.nano.data import features
from cosyvoice.nano.data.pitch import PitchStore, pitch_of
from cosyvoice.nano.data.store import FeatureStore
from cosyvoice.nano.vocoder.discriminators import Discriminators
from cosyvoice.nano.vocoder.losses import mel_loss, phase_loss, spectral_loss
from cosyvoice.nano.vocoder.training import VocoderSettings, VocoderTraining, begin_with
from cosyvoice.vocoder.hift import Hift
from cosyvoice.voice.features import MEL_HOP
from tests.cosyvoice.nano.corpora import speak

pytestmark = pytest.mark.model

pytest.importorskip("pyworld")


def voice_like(hz: float, seconds: float, phase: float = 0.0) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Ten falling harmonics of `hz`, the fundamental a cosine that starts at `phase`."""
    at = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    harmonics = [np.cos(h * (2 * np.pi * hz * at + phase)) / h for h in range(1, 11)]
    return np.asarray(0.1 * np.sum(harmonics, axis=0), np.float32)


def test_pitch_and_phase_of_a_tone_are_found() -> None:
    """f0 to a tenth of a Hz, and the fundamental's phase at each frame's end, away from the edges."""
    found = pitch_of(voice_like(180.0, 1.0, phase=1.0))
    inner = slice(5, 45)
    assert np.abs(found[inner, 0] - 180.0).max() < 0.1
    ends = (np.arange(50) + 1) * MEL_HOP / SAMPLE_RATE
    apart = (found[:, 1] - (2 * np.pi * 180.0 * ends + 1.0) + np.pi) % (2 * np.pi) - np.pi
    assert np.abs(apart[inner]).max() < 0.05


def test_noise_has_no_pitch() -> None:
    """Frames of white noise are unvoiced."""
    noise = np.random.default_rng(0).standard_normal(SAMPLE_RATE).astype(np.float32) * 0.1
    assert (pitch_of(noise)[:, 0] > 10).mean() < 0.2


def test_losses_are_nothing_for_the_same_sound_and_grow_with_the_difference() -> None:
    """Each is zero for a sound itself, and larger for a louder change."""
    sound = torch.from_numpy(voice_like(150.0, 0.6))[None]
    noise = torch.randn_like(sound)
    for loss in (spectral_loss, mel_loss, phase_loss):
        near, far = loss(sound + 0.001 * noise, sound), loss(sound + 0.1 * noise, sound)
        assert float(loss(sound, sound)) < 1e-3
        assert float(near) < float(far)


def test_only_the_phase_loss_hears_a_turned_phase() -> None:
    """The same tone half a period later has nearly the same mel, and another complex spectrum."""
    sound, turned = (torch.from_numpy(voice_like(200.0, 0.6, phase))[None] for phase in (0.0, math.pi))
    assert float(mel_loss(turned, sound)) < 0.2
    assert float(phase_loss(turned, sound)) > 0.8


def test_discriminators_learn_to_tell_noise_from_a_tone() -> None:
    """Their loss falls, and then the vocoder's loss against them is high."""
    torch.manual_seed(0)
    judges = Discriminators()
    optimiser = torch.optim.Adam(judges.parameters(), 2e-3)
    tone = torch.from_numpy(voice_like(200.0, 0.4))[None, :9600]
    first = last = 0.0
    for _ in range(12):
        loss = judges.told_apart(tone, 0.1 * torch.randn(1, 9600))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        first, last = first or loss.item(), loss.item()
    assert last < 0.7 * first
    adversarial, matching = judges.fooled(tone, 0.1 * torch.randn(1, 9600))
    assert adversarial.item() > 0.2 and matching.item() > 0.1
    same, nothing = judges.fooled(tone, tone)
    assert nothing.item() < 1e-6 and same.item() < adversarial.item()


@pytest.fixture
def training(tmp_path: Path) -> VocoderTraining:
    """On a small corpus of tones, with small batches."""
    speak(tmp_path, {"hibari": 8})
    features.run(tmp_path)
    from cosyvoice.nano.data import pitch

    pitch.run(tmp_path)
    assert len(PitchStore(FeatureStore(tmp_path)).entries) == 8
    settings = VocoderSettings(batch=2, frames=24, steps_an_epoch=3, judged_samples=4800, alone=0.5)
    return VocoderTraining(tmp_path, NANO, settings)


def test_steps_lower_the_loss_and_discriminators_join_later(training: VocoderTraining) -> None:
    """Repeated steps on one batch lower mel and spectral loss; in the second half the discriminators judge."""
    (batch, *_) = training.epoch(0, training.utterances())
    training.network.train()
    torch.manual_seed(0)
    first = training.step(batch, 0.0)
    for _ in range(6):
        last = training.step(batch, 0.1)
    assert last["mel"] < first["mel"] and last["spectral"] < first["spectral"]
    assert "told apart" not in last
    judged = training.step(batch, 0.6)
    assert {"told apart", "adversarial", "matching"} <= set(judged)
    assert all(math.isfinite(value) for value in judged.values())


def test_the_pitch_predictor_stays_as_it_is(training: VocoderTraining) -> None:
    """Steps change the network but not its f0 predictor."""
    before = {name: tensor.clone() for name, tensor in training.network.state_dict().items()}
    training.step(training.epoch(0, training.utterances())[0], 0.9)
    changed = {name for name, tensor in training.network.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed and not any(name.startswith("f0_predictor") for name in changed)
    assert "conv_pre.weight" in changed and "m_source.l_linear.weight" in changed


def test_a_vocoder_of_other_sizes_begins_with_what_fits() -> None:
    """Weights of the same name and shape are taken over, and only those."""
    config = ModelConfig.load(NANO).vocoder
    weights = Hift(config).state_dict()
    smaller = Hift(replace(config, base_channels=config.base_channels // 2))
    before = {name: tensor.clone() for name, tensor in smaller.state_dict().items()}
    begun = begin_with(smaller, weights)
    after = smaller.state_dict()
    assert torch.equal(after["f0_predictor.classifier.weight"], weights["f0_predictor.classifier.weight"])
    assert torch.equal(after["conv_pre.weight"], before["conv_pre.weight"])
    assert 0 < begun < len(after)
    assert begin_with(Hift(config), weights) == len(weights)
