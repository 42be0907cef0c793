"""Which hops share an Euler step. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from rtserver.schedule.costs import Costs
from rtserver.schedule.standing import Urgency

# A hop shares another's step only if that saves this share of the step that it would have alone. On a CPU it saves a
# fifth: there, sharing mostly makes the other hop late.
LEAST_GAIN = 0.3

J = TypeVar("J")


def gains(costs: Costs, frames: int, hops: int, step_s: float) -> bool:
    """Whether a step of `hops` hops, of `frames` frames each, that takes `step_s` is better than two of half as
    many."""
    half = hops // 2
    return worth_sharing(step_s - costs.predict("step", half * frames), half * costs.predict("step", frames))


def worth_sharing(more_s: float, alone_s: float) -> bool:
    """Whether hops that would take `alone_s` by themselves should join a step that takes `more_s` longer with them."""
    return more_s <= (1 - LEAST_GAIN) * alone_s


@dataclass(frozen=True)
class Hop(Generic[J]):
    """A hop that may run."""

    job: J
    urgency: Urgency
    # When its listener must have it.
    due_s: float
    # Frames that the flow computes.
    frames: int
    # Euler steps that are left.
    steps: int
    # From its last step to its samples.
    after_s: float = 0.0

    def done_s(self, now_s: float, step_s: float) -> float:
        """When it has its samples, if each of its steps takes `step_s`."""
        return now_s + self.steps * step_s + self.after_s


def share_step(hops: Iterable[Hop[J]], costs: Costs, places: int, now_s: float, longest_s: float = math.inf) -> list[J]:
    """The hops for the next Euler step, at most `places`: the most urgent one, and those that gain by sharing the step.
    A hop that would be in time later joins only if no other is late because of it. longest_s: none joins if the step
    would then take longer."""
    ordered = sorted(hops, key=lambda hop: hop.urgency)
    chosen: list[Hop[J]] = ordered[:1]
    frames = sum(hop.frames for hop in chosen)
    for hop in ordered[1:]:
        if len(chosen) >= places:
            break
        step_s, alone_s = costs.predict("step", frames), costs.predict("step", hop.frames)
        shared_s = costs.predict("step", frames + hop.frames)
        if shared_s > longest_s or not worth_sharing(shared_s - step_s, alone_s):
            continue
        waits_s = max(other.done_s(now_s, step_s) for other in chosen)
        pressed = hop.done_s(waits_s, alone_s) > hop.due_s
        harmless = all(other.done_s(now_s, shared_s) <= other.due_s or shared_s <= step_s for other in chosen)
        if pressed or harmless:
            chosen.append(hop)
            frames += hop.frames
    return [hop.job for hop in chosen]
