"""Settings of Python's garbage collector for a process whose event loop must not pause."""

from __future__ import annotations

import gc

# How many new objects start a collection of the youngest generation, and how many collections start one of the next
# generation. A collection takes about half a millisecond for each thousand objects, so each stays short: at most 2,000
# objects, then 10,000. The oldest generation is seldom looked at: reference counts free the objects of a session.
_THRESHOLDS = 2_000, 5, 50


def calm_collector() -> None:
    """Call it when everything is loaded. The objects that exist then stay for ever, and the collector skips them."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
