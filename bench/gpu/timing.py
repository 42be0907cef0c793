"""Times and counts of work on a device."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from rtserver.engine.acoustic.device import capture_on, stopwatch_of
from rtserver.engine.acoustic.stopwatch import Lap


class OperationCount(TorchDispatchMode):
    """Counts the operations that a device runs: all but views."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations = 0

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.operations += not func.is_view
        return func(*args, **(kwargs or {}))


def timed_ms(device: str, rounds: int, work: Callable[[], object]) -> dict[str, float]:
    """Medians: how long the calls keep the host, and how long the device works. One round more comes first, which makes
    kernels and does not count."""
    stopwatch, laps, hosts_ms = stopwatch_of(device), list[Lap](), []
    for _ in range(rounds + 1):
        start_s = time.perf_counter()
        stopwatch.begin()
        work()
        stopwatch.end(laps.append)
        hosts_ms.append(1000 * (time.perf_counter() - start_s))
        stopwatch.settle()
    devices_ms = [1000 * lap.spent_s for lap in laps]
    return {
        "host_ms": round(statistics.median(hosts_ms[1:]), 4),
        "device_ms": round(statistics.median(devices_ms[1:]), 4),
    }


def captured(device: str, work: Callable[[], object]) -> Callable[[], object]:
    """The work as one CUDA graph: each call runs it again, on the same tensors. It must not copy anything from or to
    the host. On a CPU it is the work itself."""
    capture = capture_on(device)
    if capture is None:
        return work

    def run() -> tuple[()]:
        work()
        return ()

    return capture(run).repeat


def counted(work: Callable[[], object]) -> int:
    """Operations of one run of the work."""
    count = OperationCount()
    with count:
        work()
    return count.operations


def peak_mib(device: str) -> int:
    """The most memory that PyTorch has held on a GPU since the last call; 0 on a CPU."""
    if not device.startswith("cuda"):
        return 0
    peak = int(torch.cuda.max_memory_reserved(device)) >> 20
    torch.cuda.reset_peak_memory_stats(device)
    return peak
