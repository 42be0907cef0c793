"""Which hops share an Euler step. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from rtserver.schedule.costs import Costs
from rtserver.schedule.standing import Urgency

# A hop must save so much of the step it would have alone to share another's. Where it saves less (a CPU: a fifth, give
# or take a measurement) it mostly makes the other late, and there is less room for newcomers than batches promise.
LEAST_GAIN = 0.3

J = TypeVar("J")


def gains(costs: Costs, frames: int, hops: int, step_s: float) -> bool:
    """Whether a step of `hops` hops of so many frames, which takes `step_s`, is worth more than one of half as many."""
    half = hops // 2
    return worth_sharing(step_s - costs.predict("step", half * frames), half * costs.predict("step", frames))


def worth_sharing(more_s: float, alone_s: float) -> bool:
    """Whether hops that would take `alone_s` should join a step that takes `more_s` more with them."""
    return more_s <= (1 - LEAST_GAIN) * alone_s


@dataclass(frozen=True)
class Hop(Generic[J]):
    """A hop that may run. due_s: when its listener must have it. steps: Euler steps that are left. after_s: from its
    last step to its samples."""

    job: J
    urgency: Urgency
    due_s: float
    frames: int
    steps: int
    after_s: float = 0.0

    def done_s(self, now_s: float, step_s: float) -> float:
        """When it has its samples if its steps take so long from now on."""
        return now_s + self.steps * step_s + self.after_s


def share_step(hops: Iterable[Hop[J]], costs: Costs, places: int, now_s: float) -> list[J]:
    """The hops for the next Euler step, at most `places`: the most urgent one, and those that gain by sharing the step
    with it. One that has time rides along only where nobody is late for it."""
    ordered = sorted(hops, key=lambda hop: hop.urgency)
    chosen: list[Hop[J]] = ordered[:1]
    frames = sum(hop.frames for hop in chosen)
    for hop in ordered[1:]:
        if len(chosen) >= places:
            break
        step_s, alone_s = costs.predict("step", frames), costs.predict("step", hop.frames)
        shared_s = costs.predict("step", frames + hop.frames)
        if not worth_sharing(shared_s - step_s, alone_s):
            continue
        waits_s = max(other.done_s(now_s, step_s) for other in chosen)
        pressed = hop.done_s(waits_s, alone_s) > hop.due_s
        harmless = all(other.done_s(now_s, shared_s) <= other.due_s or shared_s <= step_s for other in chosen)
        if pressed or harmless:
            chosen.append(hop)
            frames += hop.frames
    return [hop.job for hop in chosen]
