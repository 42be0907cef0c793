"""Released vocoder weights, fused and split again."""

import pytest
import torch
from safetensors.torch import load_file

from cosyvoice.config import ModelConfig, VocoderConfig
from cosyvoice.errors import CheckpointError
from cosyvoice.models import NANO
from cosyvoice.vocoder.hift import Hift
from cosyvoice.vocoder.weight_norm import add_weight_norm, fuse_weight_norm
from tests.paths import GOLDEN_DIR

pytestmark = pytest.mark.model

TINY = GOLDEN_DIR / "tiny_hift.safetensors"
CONFIG = VocoderConfig(base_channels=64, f0_channels=32)


@pytest.fixture(scope="module")
def released() -> dict[str, torch.Tensor]:
    """A state dict with the released keys (the fixture has the released structure at a small size)."""
    return load_file(TINY)


def test_fused_weights_load_strictly_and_are_the_torch_product(released: dict[str, torch.Tensor]) -> None:
    """Fusing gives what torch's own parametrization computes from the released tensors."""
    fused, split = Hift(CONFIG), Hift(CONFIG)
    fused.load_state_dict(fuse_weight_norm(released), strict=True)
    add_weight_norm(split)
    split.load_state_dict(released, strict=True)
    for name in ("conv_pre", "ups.1", "resblocks.8.convs2.2", "source_resblocks.0.convs1.1", "conv_post"):
        product = split.get_submodule(name).weight
        assert isinstance(product, torch.Tensor)
        assert torch.allclose(fused.get_parameter(f"{name}.weight"), product, atol=1e-6), name


def test_splitting_again_gives_the_released_keys(released: dict[str, torch.Tensor]) -> None:
    """After add_weight_norm keys and shapes equal the released ones, and fusing them returns the same weights."""
    hift = Hift(CONFIG)
    hift.load_state_dict(fuse_weight_norm(released))
    before = {name: tensor.clone() for name, tensor in hift.state_dict().items()}
    add_weight_norm(hift)
    state = hift.state_dict()
    assert {k: v.shape for k, v in state.items()} == {k: v.shape for k, v in released.items()}
    after = fuse_weight_norm(state)
    assert after.keys() == before.keys()
    assert all(torch.allclose(after[name], before[name], atol=1e-6) for name in before)


def test_types_are_those_the_network_runs_in(released: dict[str, torch.Tensor]) -> None:
    """The f0 predictor's tensors come as float64, all others as float32, whatever the file holds."""
    fused = fuse_weight_norm({name: tensor.half() for name, tensor in released.items()})
    for name, tensor in fused.items():
        assert tensor.dtype == (torch.float64 if name.startswith("f0_predictor.") else torch.float32), name


def test_training_prefix_and_fused_weights_pass(released: dict[str, torch.Tensor]) -> None:
    """`generator.` is deleted from the keys, and fusing twice changes nothing."""
    fused = fuse_weight_norm(released)
    prefixed = fuse_weight_norm({"generator." + name: tensor for name, tensor in released.items()})
    again = fuse_weight_norm(fused)
    assert fused.keys() == prefixed.keys() == again.keys()
    assert all(torch.equal(fused[k], prefixed[k]) and torch.equal(fused[k], again[k]) for k in fused)


@pytest.mark.parametrize("half", ["original0", "original1"])
def test_half_a_pair_is_refused(released: dict[str, torch.Tensor], half: str) -> None:
    """A norm without direction, or the reverse, names both keys."""
    key = f"ups.0.parametrizations.weight.{half}"
    with pytest.raises(CheckpointError, match=r"ups\.0.*expected its other half ups\.0.*original"):
        fuse_weight_norm({name: tensor for name, tensor in released.items() if name != key})


def test_the_embedded_weights_load_strictly() -> None:
    """The embedded checkpoint fits the network its yaml describes."""
    hift = Hift(ModelConfig.load(NANO).vocoder)
    hift.load_state_dict(fuse_weight_norm(load_file(NANO / "hift.safetensors")), strict=True)
    assert hift.config.base_channels == 160
