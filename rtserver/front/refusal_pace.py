"""How fast refusals are answered, of all clients together. Pure.

A refusal costs half a millisecond. Clients that are refused and come again at once would take all of the front's time,
hundreds of them in one turn of its loop. So the answers have a rate, and a client beyond it waits for its turn.
"""

from __future__ import annotations

REFUSALS_PER_S = 400.0
# Refusals that are answered at once after a quiet time.
BURST = 4


class RefusalPace:
    """Times are the caller's clock in seconds."""

    def __init__(self, per_s: float = REFUSALS_PER_S, burst: int = BURST) -> None:
        self._step_s = 1 / per_s
        self._burst_s = burst / per_s
        self._turn_s = float("-inf")  # the turn of the next refusal, if none is answered early

    def delay_s(self, now_s: float) -> float:
        """How long the answer to another refusal waits."""
        self._turn_s = max(self._turn_s, now_s) + self._step_s
        return max(0.0, self._turn_s - self._burst_s - now_s)
