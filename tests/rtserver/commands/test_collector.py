"""The garbage collector of a process that must not pause."""

from __future__ import annotations

import gc

from rtserver.commands.collector import calm_collector


class Node:
    """Refers to itself, so that only the collector can free it."""

    def __init__(self) -> None:
        self.itself = self


def test_what_is_loaded_is_never_looked_at_again() -> None:
    """All that was there is out of the collector's sight; cycles that are made and dropped later are still freed."""
    thresholds = gc.get_threshold()
    try:
        calm_collector()
        assert gc.get_freeze_count() > 10_000 and gc.get_threshold()[0] > thresholds[0]
        for _ in range(10):
            Node()
        assert gc.collect() >= 10
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)
