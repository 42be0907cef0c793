"""Settings of Python's garbage collector for a process whose event loop must not pause."""

from __future__ import annotations

import gc

# How many new objects start a collection of the youngest generation, how many of these collections start one of the
# next generation, and how many of those a full one. A collection takes a third to half a millisecond for each thousand
# objects, so each stays short: at most 1,000 objects, then 3,000. Each object is looked at once in either generation
# whatever the numbers are: smaller ones cost no more. The oldest generation is looked at after half a million new
# objects, because that takes tens of milliseconds; reference counts free the objects of a session.
_THRESHOLDS = 1_000, 2, 170


def calm_collector() -> None:
    """Call it when everything is loaded. The objects that exist then stay for ever, and the collector skips them."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
