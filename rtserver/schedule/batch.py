"""Which hops share an Euler step. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from rtserver.schedule.costs import Costs
from rtserver.schedule.standing import Urgency

# Two hops in one step must take so much less than one after the other to share it: where they do not (a CPU), a second
# one would only make the first later.
LEAST_GAIN = 0.1

J = TypeVar("J")


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
        if shared_s > (1 - LEAST_GAIN) * (step_s + alone_s):
            continue
        waits_s = max(other.done_s(now_s, step_s) for other in chosen)
        pressed = hop.done_s(waits_s, alone_s) > hop.due_s
        harmless = all(other.done_s(now_s, shared_s) <= other.due_s or shared_s <= step_s for other in chosen)
        if pressed or harmless:
            chosen.append(hop)
            frames += hop.frames
    return [hop.job for hop in chosen]
