"""CUDA graphs of an Euler step, one for each number of slots. No CPU can run this file: keep it small.

A graph reads and writes the same memory each time: its own copies of what goes in, and the pool.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from cosyvoice.flow.paged.self_check import StepPath
from cosyvoice.flow.paged.slots import SlotPacker, SlotRows
from cosyvoice.transfer import upload_array


class _Captured(NamedTuple):
    graph: torch.cuda.CUDAGraph
    numbers: Tensor
    states: Tensor
    conditions: Tensor
    after: Tensor


class GraphSteps:
    """A path of steps. A number of slots without a graph is computed without one."""

    def __init__(
        self, step: StepPath, packer: SlotPacker, sizes: Sequence[int], columns: int, states: Tensor, conditions: Tensor
    ) -> None:
        """step: what is captured; it may not wait for the device. columns: the longest table. states, conditions: of
        one slot, as examples."""
        self._step = step
        self._captured: dict[int, _Captured] = {}
        pool = torch.cuda.graph_pool_handle()
        # The largest comes first: the others fit into its memory.
        for size in sorted(sizes, reverse=True):
            rows, _ = packer.pack([], size, columns)
            numbers = upload_array(rows, states.device)
            inputs = numbers, states.new_zeros((size, *states.shape)), conditions.new_zeros((size, *conditions.shape))
            slots = SlotRows(numbers, columns)
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):  # kernels are compiled before the capture
                step(slots, *inputs[1:])
            torch.cuda.current_stream().wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=pool):
                after = step(slots, *inputs[1:])
            self._captured[size] = _Captured(graph, *inputs, after)

    def __call__(self, slots: SlotRows, states: Tensor, conditions: Tensor) -> Tensor:
        captured = self._captured.get(slots.slots)
        if captured is None or slots.numbers.shape[1] > captured.numbers.shape[1]:
            return self._step(slots, states, conditions)
        captured.numbers[:, : slots.numbers.shape[1]].copy_(slots.numbers)
        captured.states.copy_(states)
        captured.conditions.copy_(conditions)
        captured.graph.replay()
        return captured.after.clone()
