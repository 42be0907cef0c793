"""Who may be why a process dies again and again. Pure; times are the caller's clock in seconds.

After its first death a process goes on with everything that was open: most deaths have nothing to do with what it
worked on. What was worked on at two deaths in a short time is suspected. Suspects have their turns one at a time, and
everything else goes on as always. When the process dies during a turn, that suspect is the culprit. When it does not,
the suspect is cleared.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass

_DEATHS_TO_SUSPECT = 2
# Deaths that are further apart have nothing to do with each other.
_WINDOW_S = 300.0
# A process that works on what kills it dies soon after it has begun.
TURN_S = 5.0


@dataclass(frozen=True)
class _Deaths:
    """At which something was worked on."""

    count: int
    last_s: float


class Suspects:
    """Of one process."""

    def __init__(self, turn_s: float = TURN_S) -> None:
        self._turn_s = turn_s
        self._deaths: dict[str, _Deaths] = {}
        self._waiting: deque[str] = deque()
        # Whose turn it is, and since when.
        self._current: str | None = None
        self._since_s = 0.0

    def __len__(self) -> int:
        """How many names are remembered."""
        return len(self._deaths)

    def waits(self, name: str) -> bool:
        """Whether this must not be worked on before its turn."""
        return name in self._waiting

    def died(self, worked_on: Collection[str], now_s: float) -> str | None:
        """The process died while it worked on these. Returns the culprit, if that is certain."""
        if self._current in worked_on:
            return self._current
        if self._current is not None:  # it had nothing to do yet: its turn begins anew
            self._waiting.appendleft(self._current)
            self._current = None
        for name in worked_on:
            before = self._deaths.get(name)
            count = 1 if before is None or before.last_s + _WINDOW_S < now_s else before.count + 1
            self._deaths[name] = _Deaths(count, now_s)
        repeated = [name for name in worked_on if self._deaths[name].count >= _DEATHS_TO_SUSPECT]
        if len(worked_on) == 1 and repeated:
            return repeated[0]
        self._waiting.extend(name for name in repeated if name not in self._waiting)
        return None

    @property
    def next_s(self) -> float | None:
        """When `next_turn` has something to do; 0 for at once, None for nothing."""
        if self._current is not None:
            return self._since_s + self._turn_s
        return 0.0 if self._waiting else None

    def next_turn(self, now_s: float) -> str | None:
        """The process lives. Clears the suspect whose turn is over, and returns whose turn begins, if one does."""
        if self._current is not None and now_s >= self._since_s + self._turn_s:
            self.forget(self._current)
        if self._current is not None or not self._waiting:
            return None
        self._current, self._since_s = self._waiting.popleft(), now_s
        return self._current

    def forget(self, name: str) -> None:
        """This is over, or cleared."""
        self._deaths.pop(name, None)
        if name in self._waiting:
            self._waiting.remove(name)
        if name == self._current:
            self._current = None
