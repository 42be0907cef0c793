"""The diffusion transformer for serving: one Euler step of many jobs, each at its own step, as one packed batch.

The frames of all jobs lie one after another in [rows, frames of all jobs, dim]; row 0 is conditional, and with guidance
row 1 is unconditional. Each linear map is one matrix product for all jobs. Each convolution is one call too, with every
job's left context before its frames. Attention runs job by job, for all rows at once.

On a CPU blank frames follow those of the jobs, so that batches have few different lengths. oneDNN makes kernels for
each length of a product and keeps them. They take 5 MB of memory for each length, and without blank frames a server met
new lengths for hours.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from cosyvoice.config import CONV_GROUPS
from cosyvoice.flow.dit import NORM_EPS
from cosyvoice.flow.hop import HopJob
from cosyvoice.flow.kernels import attend, linear, linear_gelu, mish
from cosyvoice.flow.kv import read_all
from cosyvoice.flow.tails import TAIL_FRAMES
from cosyvoice.flow.weights import DitWeights


class Estimator:
    """Computes the guided velocity of packed jobs; without guidance, the conditional velocity in one row. Velocity is
    fp32."""

    def __init__(self, weights: DitWeights, deltas: Sequence[float]) -> None:
        """deltas: the lengths of the Euler steps."""
        self._weights, self._deltas = weights, deltas
        self.rows = weights.rows
        device, dtype = weights.device, weights.dtype
        self._step_numbers = torch.arange(len(deltas), device=device)
        self._no_tail = torch.zeros((self.rows, weights.config.dim, TAIL_FRAMES), dtype=dtype, device=device)
        self._pads = device.type == "cpu"

    def next_states(self, jobs: Sequence[HopJob]) -> list[Tensor]:
        """The state of each job after its next Euler step. Writes each job's keys, values and convolution tails of that
        step."""
        velocities = self._velocity(jobs).split([job.frames for job in jobs])
        return [job.state.add(v, alpha=self._deltas[job.step]) for job, v in zip(jobs, velocities)]

    def _velocity(self, jobs: Sequence[HopJob]) -> Tensor:
        """(1 + cfg) * conditional - cfg * unconditional velocity of each job at its own step, one job after another:
        [frames of all jobs, mel_bins] fp32."""
        ends = [0]
        for job in jobs:
            ends.append(ends[-1] + job.frames)
        bounds = list(pairwise(ends))
        blank = padding_frames(ends[-1]) if self._pads else 0
        h = self._embed(jobs, bounds, blank)
        step = self._step_index(jobs, blank)
        rotations = [self._weights.rotation[job.first_frame : job.first_frame + job.frames] for job in jobs]
        if blank:
            rotations.append(self._weights.rotation[:blank])
        rotation = rotations[0] if len(rotations) == 1 else torch.cat(rotations)
        for index, layer in enumerate(self._weights.layers):
            shift_a, scale_a, gate_a, shift_f, scale_f, gate_f = layer.modulation[step].unbind(-2)
            qkv = layer.qkv(_norm(h, scale_a, shift_a)).view(*h.shape[:2], 3, self._weights.config.heads, -1)
            _rotate(qkv[:, :, :2, 0], rotation)
            h.addcmul_(gate_a, layer.out(self._attend(qkv, jobs, bounds, blank, index)))
            inner = linear_gelu(_norm(h, scale_f, shift_f), layer.up.weight, layer.up.bias)
            h.addcmul_(gate_f, layer.down(inner))
        scale, shift = self._weights.last_modulation[step].unbind(-2)
        conditional, *unconditional = self._weights.output(_norm(h, scale, shift))[:, : ends[-1]].float()
        return torch.lerp(unconditional[0], conditional, 1 + self._weights.cfg_rate) if unconditional else conditional

    def _embed(self, jobs: Sequence[HopJob], bounds: list[tuple[int, int]], blank: int) -> Tensor:
        """Input projection plus position signal, [rows, frames of all jobs and blank ones, dim]."""
        states = [job.state for job in jobs]
        if blank:
            states.append(states[0].new_zeros(blank, states[0].shape[1]))
        x = states[0] if len(states) == 1 else torch.cat(states)
        projected = linear(x.to(self._weights.input_x.dtype), self._weights.input_x, None)
        h = projected.new_empty((self.rows, *projected.shape))
        for job, (first, last) in zip(jobs, bounds):
            torch.add(projected[first:last], job.condition, out=h[0, first:last])
        frames = bounds[-1][1]
        h[0, frames:] = 0.0
        for unconditional in h[1:]:
            torch.add(projected, self._weights.input_bias, out=unconditional)
        h[:, :frames].add_(self._positions(h[:, :frames].transpose(1, 2), jobs, bounds).transpose(1, 2))
        return h

    def _positions(self, x: Tensor, jobs: Sequence[HopJob], bounds: list[tuple[int, int]]) -> Tensor:
        """The two causal convolutions over all jobs, one after another: [rows, dim, frames] -> same.

        Each job's frames follow its own tail. Outputs that mix two jobs are computed too, and dropped.
        """
        for index, (weight, bias) in enumerate(self._weights.convolutions):
            parts: list[Tensor] = []
            for job, (first, last) in zip(jobs, bounds):
                parts += (
                    self._no_tail if job.tails_in is None else job.tails_in.tensor[job.step, index],
                    x[:, :, first:last],
                )
            padded = torch.cat(parts, 2)
            y = mish(F.conv1d(padded, weight, bias, groups=CONV_GROUPS))
            for number, (job, (_, last)) in enumerate(zip(jobs, bounds), start=1):
                if job.tails_out is not None:
                    end = last + number * TAIL_FRAMES
                    job.tails_out.tensor[job.step, index] = padded[:, :, end - TAIL_FRAMES : end]
            if len(jobs) > 1:
                starts = [first + number * TAIL_FRAMES for number, (first, _) in enumerate(bounds)]
                y = torch.cat([y[:, :, s : s + job.frames] for s, job in zip(starts, jobs)], 2)
            x = y
        return x

    def _step_index(self, jobs: Sequence[HopJob], blank: int) -> int | Tensor:
        """Index of each frame's row in a table of all steps. One number where all jobs are at the same step. Nothing is
        copied from the host, because that would wait for a GPU in every step."""
        if len({job.step for job in jobs}) == 1:
            return jobs[0].step
        steps = [self._step_numbers[job.step].expand(job.frames) for job in jobs]
        return torch.cat([*steps, self._step_numbers[0].expand(blank)])

    def _attend(
        self, qkv: Tensor, jobs: Sequence[HopJob], bounds: list[tuple[int, int]], blank: int, layer: int
    ) -> Tensor:
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
        if blank:
            outputs.append(outputs[0].new_zeros(self.rows, blank, outputs[0].shape[2]))
        return outputs[0] if len(outputs) == 1 else torch.cat(outputs, 1)


def padding_frames(frames: int) -> int:
    """Blank frames that make a batch of `frames` one of few lengths. Whole chunks, which have 50 frames, get none."""
    return -frames % (4 if frames <= 40 else 10)


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
