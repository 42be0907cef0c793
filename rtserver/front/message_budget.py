"""How many messages a second are read. Pure: time is an argument."""

from __future__ import annotations

# A larger message counts as several.
_MESSAGE_BYTES = 16 << 10


def messages_in(size_bytes: int) -> int:
    """How many messages a frame of this size counts as."""
    return 1 + size_bytes // _MESSAGE_BYTES


class MessageBudget:
    """So many messages a second, and `burst` at once after silence."""

    def __init__(self, per_s: float, burst: float, now_s: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._left = burst
        self._at_s = now_s

    def take(self, messages: int, now_s: float) -> float:
        """Counts messages that were read. Returns for how many seconds nothing more is to be read."""
        self._left = min(self._burst, self._left + (now_s - self._at_s) * self._per_s) - messages
        self._at_s = now_s
        return max(0.0, -self._left / self._per_s)
