"""How fast a part is spoken, so that it fits its slot. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from rtserver.session.start_request import MIN_TARGET_S


@dataclass(frozen=True)
class Fit:
    """The speeds that a track may have. The server fits speech to a length with speeds of 0.5 to 2, which is more than
    a listener likes."""

    # Speech that is slower would drag: it is spoken at this speed, and silence follows.
    slowest: float = 0.8
    # Speech that is faster is hard to understand: it is spoken at this speed, and runs over the end of its slot.
    fastest: float = 1.5

    def target_s(self, slot_s: float) -> float:
        """The length to ask the server for."""
        return max(slot_s, MIN_TARGET_S)

    def instead(self, speed: float) -> float | None:
        """The speed to speak with instead of the one that the server chose; None if that is good."""
        if speed < self.slowest:
            return self.slowest
        return self.fastest if speed > self.fastest else None
