"""The diffusion transformer for serving: one Euler step of many jobs, each at its own step, as one packed batch.

Built once from a trained `DiT`. What depends on the step alone (time embedding, AdaLN modulations) is computed here,
and its parameters are not kept: 43 % of the weights at the released size.

The frames of all jobs lie one after another in [rows, frames of all jobs, dim]; row 0 is conditional, and with guidance
row 1 is unconditional. Each linear map is one matrix product for all jobs. Each convolution is one call too, with every
job's left context before its frames. Attention runs job by job, for all rows at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from cosyvoice.config import CONV_GROUPS, FlowConfig
from cosyvoice.errors import CheckpointError
from cosyvoice.flow.dit import NORM_EPS, DiT, DitBlock, inverse_frequencies, rotation_angles
from cosyvoice.flow.hop import HopJob
from cosyvoice.flow.kernels import attend, for_linear, linear, linear_gelu, mish
from cosyvoice.flow.kv import read_all
from cosyvoice.flow.ode import NOISE_FRAMES
from cosyvoice.flow.tails import TAIL_FRAMES


@dataclass(frozen=True)
class _Linear:
    weight: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        return linear(x, self.weight, self.bias)


@dataclass(frozen=True)
class _Layer:
    """One block's weights."""

    # [steps, 6, dim]; holds 1 + scale where the checkpoint gives scale.
    modulation: Tensor
    qkv: _Linear
    out: _Linear
    up: _Linear
    down: _Linear


class Estimator:
    """Computes the guided velocity of packed jobs; without guidance, the conditional velocity in one row. Weights and
    activations have the type `dtype`; rotation and velocity are fp32."""

    def __init__(self, dit: DiT, times: Tensor, flow: FlowConfig, *, dtype: torch.dtype, device: torch.device) -> None:
        config = dit.config
        _check_rotation(dit.rotary_embed.inv_freq, config.head_dim)
        self.config = config
        self.cfg_rate, self.rows = flow.cfg_rate, flow.rows

        def own(tensor: Tensor) -> Tensor:
            # A copy, because training may continue with the original.
            return tensor.detach().to(device=device, dtype=dtype, copy=True).contiguous()

        def own_linear(*maps: torch.nn.Module) -> _Linear:
            weight, bias = (torch.cat([m.get_parameter(name) for m in maps]) for name in ("weight", "bias"))
            return _Linear(for_linear(own(weight)), own(bias))

        def own_layer(block: DitBlock) -> _Layer:
            modulation = block.attn_norm(time)
            modulation[:, [1, 4]] += 1
            attn, (up, _, down) = block.attn, block.ff.ff
            qkv, out = own_linear(attn.to_q, attn.to_k, attn.to_v), own_linear(attn.to_out[0])
            return _Layer(own(modulation), qkv, out, own_linear(up[0]), own_linear(down))  # type: ignore[index]

        with torch.no_grad():
            time = dit.time_embed(times.to(dit.proj_out.weight.device))
            self._layers = [own_layer(block) for block in dit.transformer_blocks]  # type: ignore[arg-type]
            last = dit.norm_out(time)
            last[:, 0] += 1
            self._last_modulation = own(last)
        embed = dit.input_embed
        self._input_x = for_linear(own(embed.proj.weight[:, : config.mel_bins]))
        self._input_rest = for_linear(own(embed.proj.weight[:, config.mel_bins :]))
        self._input_bias = own(embed.proj.bias)
        convolutions = (embed.conv_pos_embed.conv1[0], embed.conv_pos_embed.conv2[0])
        self._convolutions = [(own(c.get_parameter("weight")), own(c.get_parameter("bias"))) for c in convolutions]
        self._output = own_linear(dit.proj_out)
        self._step_numbers = torch.arange(flow.euler_steps, device=device)
        self._no_tail = torch.zeros((self.rows, config.dim, TAIL_FRAMES), dtype=dtype, device=device)
        angles = rotation_angles(config.head_dim, NOISE_FRAMES, device)
        self.rotation = torch.polar(torch.ones_like(angles), angles)

    def condition(self, mu: Tensor, speaker: Tensor, cond: Tensor) -> Tensor:
        """The input projection of the conditional row without its x part, [frames, dim]. It is the same in all steps of
        a job. In the unconditional row this part is the projection's bias.

        mu and cond: [frames, mel_bins]. speaker: [spk_dim].
        """
        rest = torch.cat([cond, mu, speaker.expand(mu.shape[0], -1)], 1)
        return linear(rest.to(self._input_bias.dtype), self._input_rest, self._input_bias)

    def velocity(self, jobs: Sequence[HopJob]) -> Tensor:
        """(1 + cfg) * conditional - cfg * unconditional velocity of each job at its own step, one job after another:
        [frames of all jobs, mel_bins] fp32. Writes each job's keys, values and convolution tails of that step."""
        ends = [0]
        for job in jobs:
            ends.append(ends[-1] + job.frames)
        bounds = list(pairwise(ends))
        h = self._embed(jobs, bounds)
        step = self._step_index(jobs)
        rotation = jobs[0].rotation if len(jobs) == 1 else torch.cat([job.rotation for job in jobs])
        for index, layer in enumerate(self._layers):
            shift_a, scale_a, gate_a, shift_f, scale_f, gate_f = layer.modulation[step].unbind(-2)
            qkv = layer.qkv(_norm(h, scale_a, shift_a)).view(*h.shape[:2], 3, self.config.heads, -1)
            _rotate(qkv[:, :, :2, 0], rotation)
            h.addcmul_(gate_a, layer.out(self._attend(qkv, jobs, bounds, index)))
            inner = linear_gelu(_norm(h, scale_f, shift_f), layer.up.weight, layer.up.bias)
            h.addcmul_(gate_f, layer.down(inner))
        scale, shift = self._last_modulation[step].unbind(-2)
        conditional, *unconditional = self._output(_norm(h, scale, shift)).float()
        return torch.lerp(unconditional[0], conditional, 1 + self.cfg_rate) if unconditional else conditional

    def _embed(self, jobs: Sequence[HopJob], bounds: list[tuple[int, int]]) -> Tensor:
        """Input projection plus position signal, [rows, frames of all jobs, dim]."""
        x = jobs[0].state if len(jobs) == 1 else torch.cat([job.state for job in jobs])
        projected = linear(x.to(self._input_x.dtype), self._input_x, None)
        h = projected.new_empty((self.rows, *projected.shape))
        for job, (first, last) in zip(jobs, bounds):
            torch.add(projected[first:last], job.condition, out=h[0, first:last])
        for unconditional in h[1:]:
            torch.add(projected, self._input_bias, out=unconditional)
        return h.add_(self._positions(h.transpose(1, 2), jobs, bounds).transpose(1, 2))

    def _positions(self, x: Tensor, jobs: Sequence[HopJob], bounds: list[tuple[int, int]]) -> Tensor:
        """The two causal convolutions over all jobs, one after another: [rows, dim, frames] -> same.

        Each job's frames follow its own tail. Outputs that mix two jobs are computed too, and dropped.
        """
        for index, (weight, bias) in enumerate(self._convolutions):
            parts: list[Tensor] = []
            for job, (first, last) in zip(jobs, bounds):
                parts += (self._no_tail if job.tails_in is None else job.tails_in[job.step, index], x[:, :, first:last])
            padded = torch.cat(parts, 2)
            y = mish(F.conv1d(padded, weight, bias, groups=CONV_GROUPS))
            for number, (job, (_, last)) in enumerate(zip(jobs, bounds), start=1):
                if job.tails_out is not None:
                    end = last + number * TAIL_FRAMES
                    job.tails_out[job.step, index] = padded[:, :, end - TAIL_FRAMES : end]
            if len(jobs) > 1:
                starts = [first + number * TAIL_FRAMES for number, (first, _) in enumerate(bounds)]
                y = torch.cat([y[:, :, s : s + job.frames] for s, job in zip(starts, jobs)], 2)
            x = y
        return x

    def _step_index(self, jobs: Sequence[HopJob]) -> int | Tensor:
        """Index of each frame's row in a table of all steps. One number where all jobs are at the same step. Nothing is
        copied from the host, because that would wait for a GPU in every step."""
        if len({job.step for job in jobs}) == 1:
            return jobs[0].step
        return torch.cat([self._step_numbers[job.step].expand(job.frames) for job in jobs])

    def _attend(self, qkv: Tensor, jobs: Sequence[HopJob], bounds: list[tuple[int, int]], layer: int) -> Tensor:
        """qkv [rows, frames, q|k|v, heads, head_dim] -> [rows, frames, heads * head_dim]. Writes the caches."""
        outputs = []
        for job, (first, last) in zip(jobs, bounds):
            # [q|k|v, rows, heads, frames, head_dim]
            job_qkv = qkv[:, first:last].permute(2, 0, 3, 1, 4)
            for span in job.spans:
                span.write(job.step, layer, job_qkv[1:])
            for start, end in job.chunks:
                begin = None if job.left_frames is None else start - job.left_frames
                segments = read_all(job.spans, job.step, layer, end, begin)
                outputs.append(attend(job_qkv[0, :, :, start:end], segments).transpose(1, 2).flatten(2))
        return outputs[0] if len(outputs) == 1 else torch.cat(outputs, 1)


def _norm(h: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Layer norm, times `scale`, plus `shift`. One operation where all frames have the same scale and shift."""
    if scale.dim() == 1:
        return F.layer_norm(h, h.shape[-1:], scale, shift, NORM_EPS)
    return torch.addcmul(shift, F.layer_norm(h, h.shape[-1:], eps=NORM_EPS), scale)


def _rotate(heads: Tensor, rotation: Tensor) -> None:
    """Rotates pairs of neighbours by each frame's angle, in place.

    heads: [rows, frames, q|k, head_dim], a view of head 0. rotation: [frames, head_dim / 2] complex.
    """
    if heads.dtype == torch.float32:
        torch.view_as_complex(_pairs(heads)).mul_(rotation[:, None])
    else:
        turned = torch.view_as_complex(_pairs(heads.float())) * rotation[:, None]
        heads.copy_(torch.view_as_real(turned).flatten(-2))


def _pairs(heads: Tensor) -> Tensor:
    return heads.view(*heads.shape[:-1], -1, 2)


def _check_rotation(inv_freq: Tensor, head_dim: int) -> None:
    """The rotation is computed and not loaded, so check that the checkpoint was trained with the same one."""
    expected = inverse_frequencies(head_dim)
    if not torch.allclose(inv_freq.float().cpu(), expected, rtol=1e-2, atol=1e-6):
        raise CheckpointError(
            f"rotary_embed.inv_freq: expected 10000^(-2i/{head_dim}), found {inv_freq.float().tolist()[:3]}..."
        )
