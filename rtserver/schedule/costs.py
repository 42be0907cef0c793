"""What work takes, learned while it is done. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

# quantum: a talker request, by its tokens. step: an Euler step, by the frames of all its rows. vocoder: by the frames
# of all that is decoded together.
Stage = Literal["quantum", "step", "vocoder"]


@dataclass
class Costs:
    """Exponential averages of what work took, by stage and size (frames, tokens), for predictions.

    A size that was never seen is predicted from the nearest one, in proportion when that is smaller. Deviations from
    the averages are averaged too: where being late is worse than being early, some of them are added.
    """

    weight: float = 0.2
    _averages: dict[Stage, dict[int, float]] = field(default_factory=dict)
    _deviations: dict[Stage, dict[int, float]] = field(default_factory=dict)

    def note(self, stage: Stage, size: int, seconds: float) -> None:
        """Counts one piece of work."""
        averages, bucket = self._averages.setdefault(stage, {}), _bucket(size)
        deviations = self._deviations.setdefault(stage, {})
        known = averages.get(bucket)
        if known is None:
            averages[bucket], deviations[bucket] = seconds, 0.0
            return
        averages[bucket] = known + self.weight * (seconds - known)
        deviations[bucket] += self.weight * (abs(seconds - known) - deviations[bucket])

    def predict(self, stage: Stage, size: int, deviations: float = 0.0) -> float:
        """Seconds, and so many mean deviations on top; 0 while nothing of this stage was seen."""
        averages, bucket = self._averages.get(stage), _bucket(size)
        if not averages:
            return 0.0
        nearest = bucket if bucket in averages else min(averages, key=lambda b: (abs(b - bucket), b))
        seconds = averages[nearest] + deviations * self._deviations[stage][nearest]
        return seconds * max(1.0, bucket / nearest)


def _bucket(size: int) -> int:
    """Sizes that cost about the same: tens, rounded up."""
    return max(10, -(-size // 10) * 10)
