"""How long a client has sent nothing (`inactivity_timeout`). Pure: time is counted in ticks, a fixed share of the
timeout each.
"""

from __future__ import annotations

# So many ticks are one timeout.
TICKS = 20


class Silence:
    """The time since text came last, or sound was sent."""

    def __init__(self) -> None:
        self._ticks = 0

    def broken(self) -> None:
        """Something came, or was sent."""
        self._ticks = 0

    def grows(self) -> bool:
        """A tick has passed. Returns whether the silence is longer than the timeout. The first tick does not count: it
        may come at once after the text."""
        self._ticks += 1
        return self._ticks > TICKS
