"""Pitch of a teacher's or our own sound, by WORLD (pyworld, of the extra `nano`)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cosyvoice.voice.features import MEL_RATE_HZ

LOWEST_HZ, HIGHEST_HZ = 60.0, 550.0

Values = NDArray[np.float64]


def world_f0(sound: Values, frame_ms: float = 5.0) -> tuple[Values, Values]:
    """f0 in Hz (0: unvoiced) and the times in seconds, both [frames], of a sound at 24 kHz [samples]."""
    import pyworld

    rough, times = pyworld.dio(sound, MEL_RATE_HZ, f0_floor=LOWEST_HZ, f0_ceil=HIGHEST_HZ, frame_period=frame_ms)
    return np.asarray(pyworld.stonemask(sound, rough, times, MEL_RATE_HZ)), np.asarray(times)
