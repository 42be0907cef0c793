"""How many realtime streams a device carries, from what its work takes. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from rtserver.ipc.engine import Load

# Share of the device's time that streams may be promised. What a crowd's work takes and gives is measured as it is, and
# streams end: a second's promise is seldom due at once.
MOST_UTILISATION = 1.0
# Streams whose slack makes room for more may be promised so much, as long as they have some.
FULL_UTILISATION = 1.2
# A stream that begins wants more than a place: its first hops are due one right after the other. So much slack makes up
# for one place.
YOUNG = 1.25
HORIZON_S = 3.5
# Conversations that share places rarely all speak at once: so many standard deviations above their mean are kept free
# for them (2.3 % of the time more of them speak).
CAUTION = 2.0
# Streams that find room in memory where a stream needs none.
_PLENTY = 1 << 30


@dataclass(frozen=True)
class Figures:
    """What a device needs, in seconds: hops_s for 1, 2, 4... hops side by side, `hop_audio_s` what each gives,
    first_hop_s for a first hop, first_quantum_s for its tokens at the talker. streams_in_memory: that still find
    room. slack_s: audio that each listener has left whose stream is under way."""

    hops_s: Sequence[float]
    hop_audio_s: float
    first_hop_s: float
    first_quantum_s: float
    streams_in_memory: int
    slack_s: Sequence[float] = ()

    @classmethod
    def of(cls, load: Load) -> Figures:
        """From what the engine says of its work."""
        in_memory = load.kv_free_bytes // load.kv_reserve_bytes if load.kv_reserve_bytes else _PLENTY
        return cls(load.hops_s, load.hop_audio_s, load.first_hop_s, load.first_quantum_s, in_memory, load.slack_s)

    @property
    def spare(self) -> float:
        """Places that streams need not have for now, because so much of them is made already."""
        return sum(min(YOUNG, slack_s / HORIZON_S) for slack_s in self.slack_s)

    @property
    def streams(self) -> float:
        """Realtime streams that the device keeps up with in MOST_UTILISATION of its time."""
        return self.streams_in(MOST_UTILISATION)

    def streams_in(self, utilisation: float) -> float:
        """Realtime streams whose hops side by side take no longer than they sound, in that share of the time. Beyond
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
        """Predicted time to a newcomer's first sound when so many others wait for theirs: a hop that runs is not
        stopped, then first sounds come in turn, or side by side as far as that gains."""
        if not self.hops_s:
            return 0.0
        firsts = waiting + 1
        shares = self._side_by_side_s(firsts) / self._side_by_side_s(1) if self.hops_s[0] > 0 else firsts
        return self.hops_s[0] + self.first_quantum_s + shares * self.first_hop_s

    def _side_by_side_s(self, hops: int) -> float:
        """What so many hops take together. Between two sizes that are known it grows evenly; beyond the largest they
        come in turn."""
        sizes = [1 << power for power in range(len(self.hops_s))]
        for power, size in enumerate(sizes):
            if hops <= size:
                below, below_s = (sizes[power - 1], self.hops_s[power - 1]) if power else (0, 0.0)
                return below_s + (hops - below) * (self.hops_s[power] - below_s) / (size - below)
        return self.hops_s[-1] * hops / sizes[-1]


def speaking_at_once(shares: Collection[float]) -> float:
    """Places for conversations that speak these shares of the time: the mean and CAUTION standard deviations, as if
    they spoke independently; never more than one each."""
    mean = sum(shares)
    deviation = math.sqrt(sum(share * (1 - share) for share in shares))
    return min(float(len(shares)), mean + CAUTION * deviation)
