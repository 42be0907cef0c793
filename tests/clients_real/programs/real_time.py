"""The clock of a loudspeaker."""

import asyncio
import time

_JITTER_S = 0.1  # a device has some sound in its buffer, so that a task that wakes up late is not heard


class RealTime:
    """Plays sounds one after the other, each for as long as it lasts.

    `stalled_ms`: for how long it stood still because this process did not run, as on a machine with other work. The
    frameworks' clocks go on meanwhile, so that words may be noted so much too early.
    """

    def __init__(self) -> None:
        self.played_ms = 0.0
        self.stalled_ms = 0.0
        self._free_s = 0.0

    async def play(self, length_s: float) -> None:
        """Returns at the end of this sound."""
        now_s = time.monotonic()
        if now_s > self._free_s + _JITTER_S:  # it had nothing to play
            self._free_s = now_s
        self._free_s += length_s
        try:
            await asyncio.sleep(self._free_s - now_s)
        finally:  # an interruption may come after a stall, too
            late_s = time.monotonic() - self._free_s
            if late_s > _JITTER_S:
                self.stalled_ms += 1000 * late_s
        self.played_ms += 1000 * length_s
