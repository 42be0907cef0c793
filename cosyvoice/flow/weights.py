"""The weights of the diffusion transformer as serving keeps them, built once from a trained `DiT`.

What depends on the step alone (time embedding, AdaLN modulations) is computed here, and its parameters are not kept:
43 % of the weights at the released size.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from cosyvoice.config import FlowConfig
from cosyvoice.errors import CheckpointError
from cosyvoice.flow.dit import DiT, DitBlock, inverse_frequencies, rotation_angles
from cosyvoice.flow.kernels import for_linear, linear
from cosyvoice.flow.ode import NOISE_FRAMES


@dataclass(frozen=True)
class LinearMap:
    """A matrix [out, in] and a bias."""

    weight: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        return linear(x, self.weight, self.bias)


@dataclass(frozen=True)
class LayerWeights:
    """One block's weights."""

    # [steps, 6, dim]; holds 1 + scale where the checkpoint gives scale.
    modulation: Tensor
    qkv: LinearMap
    out: LinearMap
    up: LinearMap
    down: LinearMap


class DitWeights:
    """Weights have the type `dtype`; the rotation is fp32."""

    def __init__(self, dit: DiT, times: Tensor, flow: FlowConfig, *, dtype: torch.dtype, device: torch.device) -> None:
        config = dit.config
        _check_rotation(dit.rotary_embed.inv_freq, config.head_dim)
        self.config, self.dtype, self.device = config, dtype, device
        self.cfg_rate, self.rows = flow.cfg_rate, flow.rows

        def own(tensor: Tensor) -> Tensor:
            # A copy, because training may continue with the original.
            return tensor.detach().to(device=device, dtype=dtype, copy=True).contiguous()

        def own_linear(*maps: torch.nn.Module) -> LinearMap:
            weight, bias = (torch.cat([m.get_parameter(name) for m in maps]) for name in ("weight", "bias"))
            return LinearMap(for_linear(own(weight)), own(bias))

        def own_layer(block: DitBlock) -> LayerWeights:
            modulation = block.attn_norm(time)
            modulation[:, [1, 4]] += 1
            attn, (up, _, down) = block.attn, block.ff.ff
            qkv, out = own_linear(attn.to_q, attn.to_k, attn.to_v), own_linear(attn.to_out[0])
            return LayerWeights(own(modulation), qkv, out, own_linear(up[0]), own_linear(down))  # type: ignore[index]

        with torch.no_grad():
            time = dit.time_embed(times.to(dit.proj_out.weight.device))
            self.layers = [own_layer(block) for block in dit.transformer_blocks]  # type: ignore[arg-type]
            last = dit.norm_out(time)
            last[:, 0] += 1
            self.last_modulation = own(last)
        embed = dit.input_embed
        self.input_x = for_linear(own(embed.proj.weight[:, : config.mel_bins]))
        self.input_rest = for_linear(own(embed.proj.weight[:, config.mel_bins :]))
        self.input_bias = own(embed.proj.bias)
        convolutions = (embed.conv_pos_embed.conv1[0], embed.conv_pos_embed.conv2[0])
        self.convolutions = [(own(c.get_parameter("weight")), own(c.get_parameter("bias"))) for c in convolutions]
        self.output = own_linear(dit.proj_out)
        angles = rotation_angles(config.head_dim, NOISE_FRAMES, device)
        # Of each absolute frame, [frames, head_dim / 2] complex.
        self.rotation = torch.polar(torch.ones_like(angles), angles)

    def condition(self, mu: Tensor, speaker: Tensor, cond: Tensor) -> Tensor:
        """The input projection of the conditional row without its x part, [frames, dim]. It is the same in all steps of
        a job. In the unconditional row this part is the projection's bias.

        mu and cond: [frames, mel_bins]. speaker: [spk_dim].
        """
        rest = torch.cat([cond, mu, speaker.expand(mu.shape[0], -1)], 1)
        return linear(rest.to(self.input_bias.dtype), self.input_rest, self.input_bias)


def _check_rotation(inv_freq: Tensor, head_dim: int) -> None:
    """The rotation is computed and not loaded, so check that the checkpoint was trained with the same one."""
    expected = inverse_frequencies(head_dim)
    if not torch.allclose(inv_freq.float().cpu(), expected, rtol=1e-2, atol=1e-6):
        raise CheckpointError(
            f"rotary_embed.inv_freq: expected 10000^(-2i/{head_dim}), found {inv_freq.float().tolist()[:3]}..."
        )
