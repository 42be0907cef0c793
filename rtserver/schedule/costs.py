"""What work takes, learned while it is done. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

# What is measured, and by which size.
# quantum: one quantum of the talker, by its tokens.
# step: one Euler step, by the frames of all hops in it.
# vocoder: one call, by the frames of all that it decodes.
WorkStage = Literal["quantum", "step", "vocoder"]


@dataclass
class SoundYield:
    """How much sound a frame of the flow's work gave lately. It is less than the frame's length: the frames of a first
    hop are partly the prompt's."""

    weight: float = 0.02
    _frames: float = 0.0
    _sound_s: float = 0.0

    def note(self, frames: int, sound_s: float) -> None:
        """A hop of this many frames gave this much sound."""
        weight = self.weight if self._frames else 1.0
        self._frames += weight * (frames - self._frames)
        self._sound_s += weight * (sound_s - self._sound_s)

    def sound_s(self, frames: int, at_most_s: float) -> float:
        """The sound of this many frames, `at_most_s` at most. `at_most_s` too while nothing is known."""
        return min(at_most_s, frames * self._sound_s / self._frames) if self._frames else at_most_s


@dataclass
class Costs:
    """Exponential averages of what work took, by stage and size, for predictions.

    A size that was never seen is predicted from the nearest one; where that is smaller, in proportion. A size that was
    only calibrated keeps its relation to the sizes that are worked with, because a machine that gets slower gets slower
    for all. The deviations from the averages are averaged too: a prediction that must not be too short adds some.
    """

    weight: float = 0.2
    _averages: dict[WorkStage, dict[int, float]] = field(default_factory=dict)
    _deviations: dict[WorkStage, dict[int, float]] = field(default_factory=dict)
    # Sizes that were calibrated and that no work had since.
    _calibrated: dict[WorkStage, set[int]] = field(default_factory=dict)

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
        """Seconds, and this many mean deviations more. 0 while nothing of this stage was seen."""
        averages, bucket = self._averages.get(stage), _bucket(size)
        if not averages:
            return 0.0
        nearest = bucket if bucket in averages else min(averages, key=lambda b: (abs(b - bucket), b))
        seconds = averages[nearest] + deviations * self._deviations[stage][nearest]
        return seconds * max(1.0, bucket / nearest)

    def hop_s(self, euler_steps: int, flow_frames: int, sound_frames: int) -> float:
        """Predicted time of hops side by side, from their first Euler step to their samples. flow_frames: what the flow
        computes, with the end of the prompt in a first hop. sound_frames: what becomes sound."""
        return euler_steps * self.predict("step", flow_frames) + self.predict("vocoder", sound_frames)


def _bucket(size: int) -> int:
    """Sizes that cost about the same have one bucket: tens, rounded up."""
    return max(10, -(-size // 10) * 10)
