"""Stand-ins for CUDA graphs, on a CPU: work is done again each time."""

from __future__ import annotations

from cosyvoice.graphs import Captured, Work


class Rerun:
    """A `Capture`. Counts what it captured and what was repeated."""

    def __init__(self) -> None:
        self.captured = 0
        self.repeated = 0

    def __call__(self, work: Work) -> Captured:
        outputs = work()
        self.captured += 1

        def repeat() -> None:
            self.repeated += 1
            for output, again in zip(outputs, work(), strict=True):
                output.copy_(again)

        return Captured(outputs, repeat)


def stale(work: Work) -> Captured:
    """A capture that never computes anew."""
    return Captured(work(), lambda: None)


def impossible(work: Work) -> Captured:
    """A device that cannot capture."""
    raise RuntimeError("operation not permitted when stream is capturing")
