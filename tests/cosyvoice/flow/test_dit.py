"""The trainable diffusion transformer against recorded internals of the original."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cosyvoice.config import DitConfig
from cosyvoice.flow.dit import DiT, DitBlock, RotaryEmbedding, block_mask, rotation_angles
from cosyvoice.parity.golden import Golden, deviation
from tests.paths import GOLDEN_DIR

GOLDEN = Golden(GOLDEN_DIR)
TINY = DitConfig(dim=64, depth=3, heads=4, head_dim=16)
SMALL = DitConfig(dim=32, depth=2, heads=2, head_dim=16)


@pytest.fixture(scope="module")
def tiny() -> DiT:
    """The estimator of the recorded flow. Loading is strict: names and shapes are the released ones."""
    dit = DiT(TINY).requires_grad_(False)
    prefix = "decoder.estimator."
    state = GOLDEN.tensors("tiny_flow")[0]
    dit.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}, strict=True)
    return dit


@pytest.fixture(scope="module")
def call() -> dict[str, Tensor]:
    """One recorded call of the original estimator, with internals."""
    return GOLDEN.tensors("dit")[0]


@pytest.mark.parametrize(("chunk_frames", "output"), [(None, "out_full"), (50, "out_streaming")])
def test_velocity_is_the_recorded_one(
    tiny: DiT, call: dict[str, Tensor], chunk_frames: int | None, output: str
) -> None:
    """Full attention and the chunk mask both give the original's numbers."""
    velocity = tiny(call["x"], call["mu"], call["t"], call["spks"], call["cond"], chunk_frames=chunk_frames)
    assert deviation(velocity, call[output]) < 1e-5


def test_internals_are_the_recorded_ones(tiny: DiT, call: dict[str, Tensor]) -> None:
    """Time embedding, input embedding, rotated query and first block agree one by one."""
    time = tiny.time_embed(call["t"])
    assert deviation(time, call["time_embed"]) < 1e-5
    h = tiny.input_embed(*(call[k].transpose(1, 2) for k in ("x", "cond", "mu")), call["spks"])
    assert deviation(h, call["input_embed"]) < 1e-5
    angles = rotation_angles(TINY.head_dim, 130)
    assert deviation(angles.repeat_interleave(2, 1)[None], call["rope_freqs"]) < 1e-6
    block = tiny.transformer_blocks[0]
    assert isinstance(block, DitBlock)
    query = tiny.rotary_embed(block.attn.to_q(h), angles)
    assert deviation(query, call["q_rot_of_input_embed_block0"]) < 1e-5
    assert deviation(block(h, time, tiny.rotary_embed, angles, None), call["block0_full"]) < 1e-5


def test_released_size_has_the_released_parameters() -> None:
    """At the released sizes the module has the released estimator's 331,142,224 parameters in 323 tensors."""
    with torch.device("meta"):
        dit = DiT(DitConfig(dim=1024, depth=22, heads=16, head_dim=64))
    assert sum(p.numel() for p in dit.parameters()) == 331_142_224
    assert len(dit.state_dict()) == 323
    assert dit.state_dict()["rotary_embed.inv_freq"].shape == (32,)


def test_only_head_0_is_turned() -> None:
    """Rotation changes the first head's numbers, by position, and keeps the others and every length."""
    x = torch.randn(1, 5, 48)
    turned = RotaryEmbedding(16)(x, rotation_angles(16, 5))
    assert torch.equal(turned[..., 16:], x[..., 16:])
    assert torch.equal(turned[:, 0], x[:, 0])
    assert not torch.allclose(turned[:, 1:, :16], x[:, 1:, :16])
    torch.testing.assert_close(turned.norm(dim=-1), x.norm(dim=-1))


def test_block_mask_shows_the_own_chunk_and_all_before() -> None:
    """Frames of chunk c see the first (c + 1) chunks."""
    assert block_mask(5, 2).sum(1).tolist() == [2, 2, 4, 4, 5]


def test_completed_chunks_do_not_change_when_frames_follow() -> None:
    """With the chunk mask, velocities of complete chunks are the same whatever comes after them."""
    torch.manual_seed(0)
    dit = DiT(SMALL).requires_grad_(False)
    x, mu, cond = torch.randn(3, 1, 80, 50)
    t, speaker = torch.tensor([0.3]), torch.randn(1, 80)
    whole = dit(x, mu, t, speaker, cond, chunk_frames=20)
    part = dit(x[..., :40], mu[..., :40], t, speaker, cond[..., :40], chunk_frames=20)
    torch.testing.assert_close(whole[..., :40], part, rtol=0, atol=1e-5)


@pytest.mark.parametrize("chunk_frames", [None, 20])
def test_every_parameter_is_trainable(chunk_frames: int | None) -> None:
    """A loss on the velocity reaches every parameter with a finite gradient."""
    torch.manual_seed(0)
    dit = DiT(SMALL)
    x, mu, cond = torch.randn(3, 2, 80, 50)
    dit(x, mu, torch.rand(2), torch.randn(2, 80), cond, chunk_frames=chunk_frames).square().mean().backward()
    for name, parameter in dit.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name
