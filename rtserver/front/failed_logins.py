"""Clients that come with a wrong key, or with none: how many, from where, and how long each of them has to wait. Pure.

Who guesses keys gets slower with each guess. Who has a right key never waits, also at the same address.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

# So many mistakes of a network are answered at once; the waits of the next ones double.
FREE_FAILURES = 5
FIRST_DELAY_S = 0.25
MAX_DELAY_S = 4.0
# A network that fails no more is forgotten after this time.
FORGET_S = 900.0
# The networks that are remembered. The one that failed longest ago is forgotten first.
MAX_NETWORKS = 10_000
# Answers that wait at once. More are given at once: waiting holds a socket.
MAX_WAITING = 200
# Each network gets at most one line of the log in this many seconds.
LOG_EVERY_S = 10.0


@dataclass
class _Network:
    failures: int = 0
    failed_s: float = 0.0
    logged_s: float = float("-inf")


@dataclass(frozen=True)
class Failure:
    """One failed login."""

    # Failures of this network so far.
    count: int
    # How long its answer waits.
    delay_s: float
    # Whether the log gets a line about it.
    is_logged: bool


class FailedLogins:
    """Networks are those of `addresses.network_of`. Times are the caller's clock in seconds."""

    def __init__(self) -> None:
        self.waiting = 0  # answers that wait now; the caller counts them
        self._networks: OrderedDict[str, _Network] = OrderedDict()

    def __len__(self) -> int:
        return len(self._networks)

    def note(self, network: str, now_s: float) -> Failure:
        """A login has failed."""
        while self._networks:
            oldest = next(iter(self._networks))
            if self._networks[oldest].failed_s + FORGET_S > now_s:
                break
            del self._networks[oldest]
        known = self._networks.setdefault(network, _Network())
        self._networks.move_to_end(network)
        if len(self._networks) > MAX_NETWORKS:
            self._networks.popitem(last=False)
        known.failures += 1
        known.failed_s = now_s
        is_logged = known.logged_s + LOG_EVERY_S <= now_s
        if is_logged:
            known.logged_s = now_s
        return Failure(known.failures, self._delay_s(known.failures), is_logged)

    def _delay_s(self, failures: int) -> float:
        if failures <= FREE_FAILURES or self.waiting >= MAX_WAITING:
            return 0.0
        return float(min(MAX_DELAY_S, FIRST_DELAY_S * 2 ** min(failures - FREE_FAILURES - 1, 10)))
