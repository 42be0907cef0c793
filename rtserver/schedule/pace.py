"""How fast an utterance speaks. Pure."""

from __future__ import annotations

import math

from cosyvoice.config import MAX_SPEED, MIN_SPEED


class Pace:
    """The speed that was asked for. With a target length, the speed that fits it, within the bounds of speed: it is
    known once the length of the speech is."""

    def __init__(self, speed: float, target_s: float | None) -> None:
        """Raises ValueError for a speed or target out of range."""
        if not MIN_SPEED <= speed <= MAX_SPEED:
            raise ValueError(f"expected a speed of {MIN_SPEED} to {MAX_SPEED}, found {speed}")
        if target_s is not None and not (math.isfinite(target_s) and target_s > 0):
            raise ValueError(f"target_s: expected a length in seconds, found {target_s}")
        self._target_s = target_s
        self._speed: float | None = speed if target_s is None else None

    @property
    def known(self) -> bool:
        """False until a target length has its speed."""
        return self._speed is not None

    @property
    def speed(self) -> float:
        """1 while the speed is not known."""
        return 1.0 if self._speed is None else self._speed

    def speed_at(self, rate: float) -> float:
        """The speed of a sequence with a rate of its own, within the bounds of speed."""
        return min(max(self.speed * rate, MIN_SPEED), MAX_SPEED)

    def fit(self, speech_s: float, *, silence_s: float = 0.0) -> None:
        """Sets the speed for speech that lasts `speech_s` at speed 1, with silences of fixed length in it."""
        if self._target_s is not None:
            left_s = self._target_s - silence_s
            speed = speech_s / left_s if left_s > 0 else MAX_SPEED
            self._speed = min(max(speed, MIN_SPEED), MAX_SPEED)

    def told(self) -> dict[str, float]:
        """What Done says of it, when a length was asked for."""
        return {} if self._target_s is None else {"target": self._target_s, "speed": self.speed}
