"""Settings of Python's garbage collector for a process whose event loop must not pause."""

from __future__ import annotations

import gc

# How many new objects start a collection of the youngest generation, and how many collections start one of the next
# generation. Python's default is 700 objects: while a thousand sessions begin, the collector would check them again and
# again. It finds little, because reference counts free the objects of a session.
_THRESHOLDS = 5_000, 10, 10


def calm_collector() -> None:
    """Call it when everything is loaded. The objects that exist then stay for ever, and the collector skips them."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
