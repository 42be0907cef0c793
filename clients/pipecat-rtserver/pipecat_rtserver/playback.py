"""What the listener has heard of each context. Pure: time is an argument, in seconds."""

from __future__ import annotations


class Playback:
    """The transport plays what it gets in order and in real time, from the moment at which it begins. It stands still
    while it has nothing."""

    def __init__(self) -> None:
        self._begins_ms: dict[str, float] = {}  # of each context: the sound that is played before it
        self._pushed_ms = 0.0
        self._dry_s: float | None = None  # when the transport has played all of it; None while it does not play

    def pushed(self, context_id: str, ms: float, now_s: float) -> None:
        """Sound of this context goes to the transport."""
        self._begins_ms.setdefault(context_id, self._pushed_ms)
        self._pushed_ms += ms
        if self._dry_s is not None:
            self._dry_s = max(self._dry_s, now_s) + ms / 1000

    def began(self, now_s: float) -> None:
        """The transport begins to play."""
        self._dry_s = now_s + self._pushed_ms / 1000

    def stopped(self) -> None:
        """The transport has played everything, or has dropped the rest."""
        self._dry_s = None
        self._begins_ms.clear()
        self._pushed_ms = 0.0

    def heard_ms(self, context_id: str, now_s: float) -> float | None:
        """How much of this context was heard. None when that is not known."""
        begins_ms = self._begins_ms.get(context_id)
        if self._dry_s is None or begins_ms is None:
            return None
        return max(0.0, self._pushed_ms - 1000 * max(0.0, self._dry_s - now_s) - begins_ms)
