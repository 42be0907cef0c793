"""Work that a GPU does again and again on the same memory: it is captured once, and then started with one call.

The operations of such work are launched together, so their number costs the host nothing. Only `cuda_capture` needs a
GPU. All else runs on a CPU too, with another `Capture`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

# What is done. It may not wait for the device, copy from or to the host, or depend on anything but its tensors.
Work = Callable[[], tuple[Tensor, ...]]

# Runs before a capture: kernels are compiled, and libraries make their plans.
_WARM_UPS = 2


class Captured(NamedTuple):
    """Work that can be repeated."""

    # What the work returned. Each repetition writes these tensors again.
    outputs: tuple[Tensor, ...]
    repeat: Callable[[], object]


Capture = Callable[[Work], Captured]


def cuda_capture() -> Capture:
    """Captures CUDA graphs. They share one pool of memory, in which those captured later use what the earlier ones need
    only while they run. So only one of them may run at a time, and the largest is to be captured first. They share a
    stream too: PyTorch keeps memory for cuBLAS for each stream that it has seen, 32 MiB on an H100."""
    pool, stream = torch.cuda.graph_pool_handle(), cache(torch.cuda.Stream)

    def capture(work: Work) -> Captured:
        aside = stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(_WARM_UPS):
                work()
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=pool, stream=aside):
            outputs = work()
        return Captured(outputs, graph.replay)

    return capture


class GraphRun:
    """One captured piece of work, with memory of its own for what goes in."""

    def __init__(self, work: Callable[..., tuple[Tensor, ...]], inputs: Sequence[Tensor], capture: Capture) -> None:
        """inputs: examples, which are kept as that memory. Each is as large as what may go in."""
        self._inputs = tuple(inputs)
        self._captured = capture(lambda: work(*self._inputs))

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The work on these inputs. One that is smaller than its memory fills the first part of each axis."""
        for own, given in zip(self._inputs, inputs, strict=True):
            own[tuple(slice(size) for size in given.shape)].copy_(given)
        self._captured.repeat()
        return tuple(output.clone() for output in self._captured.outputs)
