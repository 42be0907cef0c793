"""Python's garbage collector in a process whose event loop must not pause."""

from __future__ import annotations

import gc

# New objects before the youngest are looked at, and rounds before the older ones are. With Python's own 700 a thousand
# sessions that begin are looked at again and again; what a session drops is freed by reference counts anyway.
_THRESHOLDS = 5_000, 10, 10


def calm_collector() -> None:
    """To be called when all is loaded: what is there now stays for ever and is never looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
