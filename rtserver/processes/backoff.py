"""How long to wait before a process is started again. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Backoff:
    """Doubles from `first_s` to `max_s`; a run of at least `healthy_s` begins anew."""

    first_s: float = 0.5
    max_s: float = 30.0
    healthy_s: float = 60.0
    _next_s: float = field(init=False, default=0.0)

    def delay_s(self, ran_s: float) -> float:
        """The wait after a run that was ready for `ran_s` seconds (0: never ready)."""
        if self._next_s == 0.0 or ran_s >= self.healthy_s:
            self._next_s = self.first_s
        delay_s = self._next_s
        self._next_s = min(2 * delay_s, self.max_s)
        return delay_s
