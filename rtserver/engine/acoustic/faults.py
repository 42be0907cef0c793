"""Errors in the work on one utterance that nobody expected: does the process go on?"""

from __future__ import annotations

import sys
import traceback
from collections import deque
from collections.abc import Callable

import torch

# So many in such a time, and something is wrong with the process itself.
_MOST, _WITHIN_S = 3, 60.0
# In messages of RuntimeError, torch's type for all errors of a device and of its allocator.
_DEVICE_WORDS = ("CUDA", "CUBLAS", "CUDNN", "HIP error", "device-side", "allocate memory")


def leaves_doubt(error: Exception) -> bool:
    """Whether what the utterances share may be damaged: memory ran out somewhere, or the device failed."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error) for word in _DEVICE_WORDS)


class Faults:
    """Of one process."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._latest_s: deque[float] = deque(maxlen=_MOST)

    def note(self, error: Exception) -> None:
        """One utterance must fail because of this error. Raises it when the process must end instead: after an error
        that leaves doubt, and after too many. Then another process goes on with all utterances."""
        now_s = self._clock()
        self._latest_s.append(now_s)
        repeated = len(self._latest_s) == _MOST and now_s - self._latest_s[0] <= _WITHIN_S
        if repeated or leaves_doubt(error):
            raise error
        traceback.print_exception(error, file=sys.stderr)
