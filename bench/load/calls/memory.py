"""Resident memory of the server's processes while a load runs, and whether it grows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.load.server_process import ServerProcess
from rtserver.metrics.memory import resident_bytes

_MIB = 2**20
_HOUR_S = 3600.0
_FEWEST_SAMPLES = 3  # the least number for a slope


@dataclass
class Memory:
    """Measurements of resident memory."""

    # When each was made, since the beginning.
    times_s: list[float] = field(default_factory=list)
    # MiB of each process at these times. None where the process was not there.
    mib: dict[str, list[float | None]] = field(default_factory=dict)

    def add(self, at_s: float, mib: dict[str, float]) -> None:
        """Adds one measurement."""
        for part in mib:
            self.mib.setdefault(part, [None] * len(self.times_s))
        self.times_s.append(at_s)
        for part, values in self.mib.items():
            values.append(mib.get(part))

    def growth_mib_per_hour(self) -> dict[str, float]:
        """The slope of each process's memory over the second half. By then everything that is loaded late has been
        loaded."""
        if not self.times_s:
            return {}
        half_s = (self.times_s[0] + self.times_s[-1]) / 2
        growth = {}
        for part, values in self.mib.items():
            late = [(t, v) for t, v in zip(self.times_s, values) if t >= half_s and v is not None]
            if len(late) >= _FEWEST_SAMPLES:
                growth[part] = slope([t for t, _ in late], [v for _, v in late]) * _HOUR_S
        return growth

    async def watch(self, server: ServerProcess, every_s: float) -> None:
        """Measures until it is cancelled."""
        start_s = time.monotonic()
        while True:
            self.add(round(time.monotonic() - start_s, 1), resident_mib(server))
            await asyncio.sleep(every_s)


def slope(times: Sequence[float], values: Sequence[float]) -> float:
    """The slope of the straight line with the least squared error."""
    centred = np.asarray(times) - np.mean(times)
    return float(centred @ (np.asarray(values) - np.mean(values)) / (centred @ centred))


def resident_mib(server: ServerProcess) -> dict[str, float]:
    """Resident memory by part of the server. Empty for a server whose processes are not known."""
    mib: dict[str, float] = {}
    for pid, part in server.processes().items():
        size = resident_bytes(pid)
        if size is not None:  # None if it has just ended
            mib[part] = round(mib.get(part, 0.0) + size / _MIB, 1)
    return mib
