"""What work takes, learned while it is done. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

# quantum: a talker request, by its tokens. step: an Euler step, by the frames of all its rows. vocoder: by the frames
# of all that is decoded together.
WorkStage = Literal["quantum", "step", "vocoder"]


@dataclass
class SoundYield:
    """How much sound the flow's work gives lately: a first hop works on the prompt's end too, a last one is short."""

    weight: float = 0.02
    _frames: float = 0.0
    _sound_s: float = 0.0

    def note(self, frames: int, sound_s: float) -> None:
        """A hop of so many frames gave so much sound."""
        weight = self.weight if self._frames else 1.0
        self._frames += weight * (frames - self._frames)
        self._sound_s += weight * (sound_s - self._sound_s)

    def sound_s(self, frames: int, at_most_s: float) -> float:
        """What so many frames give; `at_most_s` when nothing is known."""
        return min(at_most_s, frames * self._sound_s / self._frames) if self._frames else at_most_s


@dataclass
class Costs:
    """Exponential averages of what work took, by stage and size (frames, tokens), for predictions.

    A size that was never seen is predicted from the nearest one, in proportion when that is smaller. One that was only
    calibrated keeps its relation to those that are worked with: a machine that gets slower gets slower for all.
    Deviations from the averages are averaged too: where being late is worse than being early, some of them are added.
    """

    weight: float = 0.2
    _averages: dict[WorkStage, dict[int, float]] = field(default_factory=dict)
    _deviations: dict[WorkStage, dict[int, float]] = field(default_factory=dict)
    _calibrated: dict[WorkStage, set[int]] = field(default_factory=dict)  # sizes that no work had since

    def calibrate(self, stage: WorkStage, size: int, seconds: float) -> None:
        """Sets what was measured beforehand."""
        bucket = _bucket(size)
        self._averages.setdefault(stage, {})[bucket] = seconds
        self._deviations.setdefault(stage, {})[bucket] = 0.0
        self._calibrated.setdefault(stage, set()).add(bucket)

    def note(self, stage: WorkStage, size: int, seconds: float) -> None:
        """Counts one piece of work."""
        averages, bucket = self._averages.setdefault(stage, {}), _bucket(size)
        deviations = self._deviations.setdefault(stage, {})
        known = averages.get(bucket)
        if known is None:
            averages[bucket], deviations[bucket] = seconds, 0.0
            return
        averages[bucket] = known + self.weight * (seconds - known)
        calibrated = self._calibrated.get(stage, set())
        calibrated.discard(bucket)
        for other in calibrated:
            averages[other] *= averages[bucket] / known
        deviations[bucket] += self.weight * (abs(seconds - known) - deviations[bucket])

    def predict(self, stage: WorkStage, size: int, deviations: float = 0.0) -> float:
        """Seconds, and so many mean deviations on top; 0 while nothing of this stage was seen."""
        averages, bucket = self._averages.get(stage), _bucket(size)
        if not averages:
            return 0.0
        nearest = bucket if bucket in averages else min(averages, key=lambda b: (abs(b - bucket), b))
        seconds = averages[nearest] + deviations * self._deviations[stage][nearest]
        return seconds * max(1.0, bucket / nearest)

    def hop_s(self, euler_steps: int, flow_frames: int, sound_frames: int) -> float:
        """Predicted time of hops side by side, from their first Euler step to their samples. A first hop shares its
        chunk with the end of the prompt: the flow works on more frames than sound."""
        return euler_steps * self.predict("step", flow_frames) + self.predict("vocoder", sound_frames)


def _bucket(size: int) -> int:
    """Sizes that cost about the same: tens, rounded up."""
    return max(10, -(-size // 10) * 10)
