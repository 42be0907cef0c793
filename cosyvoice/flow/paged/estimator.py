"""One Euler step of many jobs, packed in slots of one chunk each. Every operation is one call for all slots.

What a step reads and writes is found by numbers on the device (`SlotRows`), so its operations depend only on how many
slots there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from cosyvoice.config import CONV_GROUPS
from cosyvoice.flow.hop import HopJob
from cosyvoice.flow.kernels import linear, linear_gelu, mish
from cosyvoice.flow.ode import NOISE_FRAMES
from cosyvoice.flow.paged.graphs import GraphSteps
from cosyvoice.flow.paged.pages import PagePool
from cosyvoice.flow.paged.plain import PlainKernels
from cosyvoice.flow.paged.self_check import PathCheck, StepPath
from cosyvoice.flow.paged.slots import SlotPacker, SlotRows, batches, job_slots
from cosyvoice.flow.weights import DitWeights
from cosyvoice.graphs import Capture
from cosyvoice.self_check import first_right
from cosyvoice.transfer import upload_array

# The parts of a layer's modulation, and those of the last one.
SHIFT_A, SCALE_A, GATE_A, SHIFT_F, SCALE_F, GATE_F = range(6)
LAST_SCALE, LAST_SHIFT = range(2)
_NORM_PARTS = ((SCALE_A, SHIFT_A), (SCALE_F, SHIFT_F))


class SlotKernels(Protocol):
    """What an Euler step does slot by slot. `PlainKernels` says what each operation is."""

    def conv_input(self, x: Tensor, convolution: int) -> Tensor: ...

    def norm(self, h: Tensor, modulation: Tensor, scale: int, shift: int) -> Tensor: ...

    def add_norm(
        self, h: Tensor, out: Tensor, gates: Tensor, gate: int, modulation: Tensor, scale: int, shift: int
    ) -> Tensor: ...

    def attend(self, qkv: Tensor, layer: int) -> Tensor: ...


MakeKernels = Callable[[SlotRows, PagePool, Tensor], SlotKernels]


@dataclass(frozen=True)
class Candidate:
    """A way to compute a step that may be faster than plain PyTorch."""

    name: str
    make: Callable[[SlotEstimator], StepPath]


class SlotEstimator:
    """Advances jobs whose keys, values and tails are in a page pool. The residual and the state are fp32."""

    def __init__(
        self,
        weights: DitWeights,
        deltas: Sequence[float],
        pool: PagePool,
        slot_classes: Sequence[int] = (),
        make_kernels: MakeKernels = PlainKernels,
    ) -> None:
        """deltas: the lengths of the Euler steps. slot_classes: the numbers of slots that a batch is padded to, rising;
        a larger batch, and every batch without classes, is not padded."""
        self._weights, self._pool = weights, pool
        self._packer = SlotPacker(pool)
        self._deltas = torch.tensor(deltas, device=weights.device)
        self._slot_classes, self._make_kernels = slot_classes, make_kernels
        self._path: StepPath = self.step
        # What stands in the place of frames that no job has.
        idle_frames = pool.page_frames * max(slot_classes, default=1)
        self._idle_state = torch.zeros((idle_frames, weights.config.mel_bins), device=weights.device)
        self._idle_condition = torch.zeros(
            (idle_frames, weights.config.dim), dtype=weights.dtype, device=weights.device
        )
        # The modulations of each layer's two normalisations, with that of the last normalisation at the end.
        norms = [(layer.modulation, *parts) for layer in weights.layers for parts in _NORM_PARTS]
        self._norms = [*norms, (weights.last_modulation, LAST_SCALE, LAST_SHIFT)]

    def next_states(self, jobs: Sequence[HopJob]) -> list[Tensor]:
        """The state of each job after its next Euler step. Writes each job's keys, values and convolution tails of that
        step."""
        return [state for batch in batches(jobs, self._pool.page_frames) for state in self._batch_states(batch)]

    def speed_up(self, candidates: Sequence[Candidate], tell: Callable[[str], None]) -> None:
        """Takes the first way to compute a step that gives what plain PyTorch gives, for every class of slots."""
        config = self._weights.config
        check = PathCheck(self._pool, config.mel_bins, config.dim)
        sizes = {f"{slots} slots": slots for slots in self._slot_classes or (1,)}
        paths = [(candidate.name, partial(candidate.make, self)) for candidate in candidates]

        def deviation(path: StepPath, slots: int) -> float:
            return check.deviation(self.step, path, slots)

        self._path = first_right("the flow", paths, deviation, sizes, check.tolerance, tell) or self.step

    def with_kernels(self, make_kernels: MakeKernels) -> StepPath:
        """A step with other kernels, without graphs."""
        return partial(self.step, make_kernels=make_kernels)

    def with_graphs(self, make_kernels: MakeKernels, capture: Capture) -> StepPath:
        """A captured step with other kernels."""
        frames = self._pool.page_frames
        examples = self._idle_state[:frames], self._idle_condition[:frames]
        columns = NOISE_FRAMES // frames
        step = self.with_kernels(make_kernels)
        return GraphSteps(step, self._packer, self._slot_classes, columns, *examples, capture)

    def _batch_states(self, jobs: Sequence[HopJob]) -> list[Tensor]:
        frames = self._pool.page_frames
        used = [job_slots(job, frames) for job in jobs]
        slots = next((size for size in self._slot_classes if size >= sum(used)), sum(used))
        rows, table_width = self._packer.pack(jobs, slots)
        states, conditions, starts = list[Tensor](), list[Tensor](), [0]
        for job, count in zip(jobs, used, strict=True):
            missing = count * frames - job.frames
            states += [job.state, self._idle_state[:missing]]
            conditions += [job.condition, self._idle_condition[:missing]]
            starts.append(starts[-1] + count * frames)
        missing = slots * frames - starts[-1]
        states.append(self._idle_state[:missing])
        conditions.append(self._idle_condition[:missing])
        numbers = SlotRows(upload_array(rows, self._weights.device), table_width)
        after = self._path(numbers, _by_slot(torch.cat(states), slots), _by_slot(torch.cat(conditions), slots))
        every = after.flatten(0, 1)
        return [every[start : start + job.frames] for start, job in zip(starts, jobs, strict=False)]

    @torch.inference_mode()
    def step(
        self, slots: SlotRows, states: Tensor, conditions: Tensor, make_kernels: MakeKernels | None = None
    ) -> Tensor:
        """The states [slots, frames, mel_bins] fp32 after one Euler step of each slot. conditions: [slots, frames,
        dim]."""
        weights, make = self._weights, make_kernels or self._make_kernels
        kernels = make(slots, self._pool, weights.rotation)
        h = self._embed(kernels, states, conditions)
        normed = kernels.norm(h, *self._norms[0])
        for index, layer in enumerate(weights.layers):
            after_attention, after_layer = self._norms[2 * index + 1 : 2 * index + 3]
            qkv = layer.qkv(normed).view(*h.shape[:-1], 3, weights.config.heads, -1)
            out = layer.out(kernels.attend(qkv, index))
            normed = kernels.add_norm(h, out, layer.modulation, GATE_A, *after_attention)
            out = layer.down(linear_gelu(normed, layer.up.weight, layer.up.bias))
            normed = kernels.add_norm(h, out, layer.modulation, GATE_F, *after_layer)
        conditional, *unconditional = weights.output(normed).float()
        velocity = conditional
        if unconditional:
            velocity = torch.lerp(unconditional[0], conditional, 1 + weights.cfg_rate)
        return torch.addcmul(states, velocity, self._deltas[slots.steps][:, None, None])

    def _embed(self, kernels: SlotKernels, states: Tensor, conditions: Tensor) -> Tensor:
        """Input projection plus position signal, [rows, slots, frames, dim] fp32."""
        weights = self._weights
        projected = linear(states.to(weights.dtype), weights.input_x, None)
        signal = projected.new_empty((weights.rows, *projected.shape))
        torch.add(projected, conditions, out=signal[0])
        for unconditional in signal[1:]:
            torch.add(projected, weights.input_bias, out=unconditional)
        h = signal.to(torch.float32, copy=True)
        for index, (weight, bias) in enumerate(weights.convolutions):
            filtered = mish(F.conv1d(kernels.conv_input(signal, index), weight, bias, groups=CONV_GROUPS))
            signal = filtered.unflatten(0, h.shape[:2]).transpose(2, 3)
        return h.add_(signal)


def _by_slot(x: Tensor, slots: int) -> Tensor:
    out: Tensor = x.unflatten(0, (slots, -1))
    return out


def gpu_candidates(capture: Capture) -> list[Candidate]:
    """What a GPU may gain from, the fastest first. Empty where Triton is missing."""
    try:
        from cosyvoice.flow.paged.triton_kernels import TritonKernels
    except ImportError:
        return []
    return [
        Candidate("Triton kernels in CUDA graphs", lambda estimator: estimator.with_graphs(TritonKernels, capture)),
        Candidate("Triton kernels", lambda estimator: estimator.with_kernels(TritonKernels)),
    ]
