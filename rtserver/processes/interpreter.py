"""The interpreter is one for all threads of a process, and long work in one of them must not keep it."""

from __future__ import annotations

import time

# Python's own switch interval, for which a thread that waits would wait otherwise, is 5 ms.
_REST_S = 0.0001


def let_others_run() -> None:
    """Between pieces of long work in another thread than the loop's: gives the interpreter to a thread that waits."""
    time.sleep(_REST_S)
