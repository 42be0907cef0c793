"""The vocoder network against the original's numbers, and as something to train."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from cosyvoice.config import VocoderConfig
from cosyvoice.parity.golden import Golden, deviation
from cosyvoice.vocoder.hift import Hift
from cosyvoice.vocoder.weight_norm import add_weight_norm, fuse_weight_norm
from tests.paths import GOLDEN_DIR

GOLDEN = Golden(GOLDEN_DIR)
CONFIG = VocoderConfig(base_channels=64, f0_channels=32)


@pytest.fixture(scope="module")
def hift() -> Hift:
    network = Hift(CONFIG)
    network.load_state_dict(fuse_weight_norm(GOLDEN.tensors("tiny_hift")[0]), strict=True)
    return network.requires_grad_(False)


@pytest.fixture(scope="module")
def recorded() -> dict[str, Tensor]:
    return GOLDEN.tensors("hift")[0]


@pytest.fixture(scope="module")
def noise() -> Tensor:
    """The noise the fixtures were made with, [1, samples, 9]."""
    return GOLDEN.tensors("noise")[0]["hift.sine_noise_u8"].float() / 256


def test_f0_is_the_original_to_float64(hift: Hift, recorded: dict[str, Tensor]) -> None:
    """f0 of a whole mel and of an unfinished one agree to 1e-9 Hz."""
    mel = recorded["mel"]
    assert deviation(hift.f0_predictor(mel), recorded["f0_f64"]) < 1e-9
    assert deviation(hift.f0_predictor(mel[:, :, :63], final=False), recorded["f0_f64_63_nofinal"]) < 1e-9


def test_f0_of_a_window_is_that_of_the_whole(hift: Hift, recorded: dict[str, Tensor]) -> None:
    """With eight frames of context a window's f0 is the whole mel's, and so it is with all frames there are."""
    mel, whole = recorded["mel"], recorded["f0_f64"]
    assert deviation(hift.f0_predictor(mel[:, :, 42:93], skip=8, final=False), whole[:, 50:90]) < 1e-9
    assert deviation(hift.f0_predictor(mel[:, :, :93], skip=5, final=False), whole[:, 5:90]) < 1e-9


def test_wave_and_what_leads_to_it(hift: Hift, recorded: dict[str, Tensor], noise: Tensor) -> None:
    """Excitation, its STFT, three layers on the way and the wave agree with the original."""
    seen: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[[nn.Module, object, Tensor], None]:
        return lambda _module, _arguments, output: seen.__setitem__(name, output)

    names = {
        "source": hift.m_source,
        "conv_pre": hift.conv_pre,
        "ups0": hift.ups[0],
        "source_down0": hift.source_downs[0],
    }
    hooks = [module.register_forward_hook(keep(name)) for name, module in names.items()]
    wave = hift(recorded["mel"], noise[:, : 140 * 480], phase="fp32")
    for hook in hooks:
        hook.remove()
    assert deviation(wave, recorded["wav_offline"]) < 1e-5
    assert deviation(seen["source"][None], recorded["source"]) < 1e-6
    columns = hift.stft.analyse(recorded["source"][0])
    assert deviation(columns[..., : recorded["src_stft"].shape[2]], recorded["src_stft"]) < 1e-5
    for name, layer in (("conv_pre", "conv_pre"), ("ups0", "ups.0"), ("source_down0", "source_downs.0")):
        # A window puts out a step beyond the last frame; what it shows there is not heard.
        golden = recorded[name]
        # A value is a sum of as many products, which each processor adds up in its own order: in fp32 a sum of n errs
        # by about sqrt(n) roundings of 2**-24 of the largest value, and two sums by twice that.
        products = hift.get_parameter(f"{layer}.weight")[0].numel()
        tolerance = 2 * products**0.5 * 2.0**-24 * float(golden.abs().max())
        assert deviation(seen[name][..., : golden.shape[2]], golden) < tolerance, name


def test_both_phases_begin_alike_and_part(hift: Hift, recorded: dict[str, Tensor], noise: Tensor) -> None:
    """The serving phase gives the original's wave up to the original's own rounding, which grows with time."""
    waves = [hift(recorded["mel"], noise[:, : 140 * 480], phase=phase) for phase in ("fp32", "fp64")]
    difference = (waves[0] - waves[1]).abs()[0]
    assert difference[:4800].max() < 1e-3 < 0.05 * recorded["wav_offline"].abs().max()
    assert 0 < difference.max() < 0.05


def test_every_weight_learns() -> None:
    """Gradients reach every parameter, also when weight norm is split for training."""
    torch.manual_seed(1)
    network = Hift(VocoderConfig(base_channels=16, f0_channels=8))
    add_weight_norm(network)
    # Pitch well above the voiced threshold, where an untrained predictor does not come.
    nn.init.constant_(network.f0_predictor.classifier.bias, 150.0)
    network(torch.randn(2, 80, 6), torch.rand(1, 6 * 480, 9)).square().sum().backward()
    dead = [
        n for n, p in network.named_parameters() if p.grad is None or not p.grad.isfinite().all() or not p.grad.any()
    ]
    assert dead == []


def test_gradients_are_right() -> None:
    """The gradient of a random direction in all parameters is the slope of the wave along it (the layers work in place
    where they can, and must not spoil what the backward pass needs)."""
    torch.manual_seed(2)
    network = Hift(VocoderConfig(base_channels=16, f0_channels=8)).double()
    mel, noise = torch.randn(2, 80, 5, dtype=torch.float64), torch.rand(1, 5 * 480, 9, dtype=torch.float64)
    f0 = torch.tensor([[120.0, 130.0, 0.0, 90.0, 95.0], [200.0, 0.0, 0.0, 210.0, 230.0]], dtype=torch.float64)
    weight = torch.randn(2, 5 * 480, dtype=torch.float64)

    def loss() -> Tensor:
        value: Tensor = (network(mel, noise, f0) * weight).sum()
        return value

    parameters = [p for name, p in network.named_parameters() if not name.startswith("f0_predictor.")]
    directions = [torch.randn_like(p) for p in parameters]
    gradients = torch.autograd.grad(loss(), parameters)
    expected = torch.stack([(g * d).sum() for g, d in zip(gradients, directions, strict=True)]).sum()
    step, losses = 1e-6, []
    with torch.no_grad():
        for sign in (1, -2):
            for parameter, direction in zip(parameters, directions, strict=True):
                parameter.add_(sign * step * direction)
            losses.append(loss())
    slope = (losses[0] - losses[1]) / (2 * step)
    assert abs(slope - expected) < 1e-5 * abs(slope)
