"""A setting of the C library's allocator for a process whose event loop must not pause."""

from __future__ import annotations

import ctypes

# The number that glibc's mallopt has for it.
_M_MMAP_THRESHOLD = -3
LARGE_BYTES = 1 << 20


def separate_large_blocks() -> bool:
    """From now on each block of LARGE_BYTES or more has pages of its own. False where the C library cannot do that.

    glibc begins so, but after the first such block was freed it puts new ones beside others. A body that grows is then
    copied again and again: for up to 40 ms with 20 MB, during which the event loop stands still. Pages of its own are
    moved without a copy, and the system has them back at once.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES))
