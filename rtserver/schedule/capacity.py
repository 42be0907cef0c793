"""How many realtime streams a device carries, from what its work takes. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from rtserver.ipc.engine import Load

# Share of the device's time that streams may be promised. All of it: what work takes is measured among several streams,
# and streams end.
MOST_UTILISATION = 1.0
# Share of the device's time that may be promised while listeners have slack.
FULL_UTILISATION = 1.2
# A stream that begins needs this many places: its first hops are due one right after the other.
YOUNG = 1.5
# This much slack of one listener stands for one place.
HORIZON_S = 3.5
# Conversations rarely all speak at once. Places are kept for the mean and this many standard deviations; more of them
# speak in 2.3 % of the time.
CAUTION = 2.0
# Streams that find room in memory where a stream needs none.
_PLENTY = 1 << 30


@dataclass(frozen=True)
class Figures:
    """What work takes a device, and what is free."""

    # Time of 1, 2, 4... hops side by side.
    hops_s: Sequence[float]
    # Audio that a hop gives.
    hop_audio_s: float
    # Time of a first hop, and of its tokens at the talker.
    first_hop_s: float
    first_quantum_s: float
    # Streams for which there is memory left.
    streams_in_memory: int
    # Audio that each listener has left whose stream is under way.
    slack_s: Sequence[float] = ()

    @classmethod
    def of(cls, load: Load) -> Figures:
        """From what the engine says of its work."""
        in_memory = load.kv_free_bytes // load.kv_reserve_bytes if load.kv_reserve_bytes else _PLENTY
        return cls(load.hops_s, load.hop_audio_s, load.first_hop_s, load.first_quantum_s, in_memory, load.slack_s)

    @property
    def spare(self) -> float:
        """Places that streams do not need now, because their listeners have slack."""
        return sum(min(YOUNG, slack_s / HORIZON_S) for slack_s in self.slack_s)

    @property
    def streams(self) -> float:
        """Realtime streams that the device keeps up with in MOST_UTILISATION of its time."""
        return self.streams_in(MOST_UTILISATION)

    def streams_in(self, utilisation: float) -> float:
        """Realtime streams whose hops, side by side, take no longer than that share of the time that they sound. Beyond
        the batch sizes that are known, in proportion to the largest."""
        bound_s = utilisation * self.hop_audio_s
        if not self.hops_s or self.hops_s[0] <= 0:
            return math.inf
        below, below_s = 0.0, 0.0
        for power, hops_s in enumerate(self.hops_s):
            hops = float(1 << power)
            if hops_s > bound_s:
                return below + (hops - below) * (bound_s - below_s) / (hops_s - below_s)
            below, below_s = hops, hops_s
        return below * bound_s / below_s

    def first_sound_s(self, waiting: int) -> float:
        """Predicted time to the first sound of a newcomer while `waiting` others wait for theirs. The hop that runs
        comes first; then the first sounds, one after the other, or side by side as far as that gains."""
        if not self.hops_s:
            return 0.0
        firsts = waiting + 1
        shares = self._side_by_side_s(firsts) / self._side_by_side_s(1) if self.hops_s[0] > 0 else firsts
        return self.hops_s[0] + self.first_quantum_s + shares * self.first_hop_s

    def _side_by_side_s(self, hops: int) -> float:
        """What this many hops take together. Between two sizes that are known it grows evenly. Beyond the largest, hops
        come one after the other."""
        sizes = [1 << power for power in range(len(self.hops_s))]
        for power, size in enumerate(sizes):
            if hops <= size:
                below, below_s = (sizes[power - 1], self.hops_s[power - 1]) if power else (0, 0.0)
                return below_s + (hops - below) * (self.hops_s[power] - below_s) / (size - below)
        return self.hops_s[-1] * hops / sizes[-1]


def speaking_at_once(shares: Collection[float]) -> float:
    """Places for conversations that speak these shares of the time, independently of each other: the mean and CAUTION
    standard deviations, but never more than one place for each."""
    mean = sum(shares)
    deviation = math.sqrt(sum(share * (1 - share) for share in shares))
    return min(float(len(shares)), mean + CAUTION * deviation)
