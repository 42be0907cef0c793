"""Who goes next, at the talker and at the flow. Pure: time is an argument.

The acoustic process asks it before every turn, and so does the simulator, in simulated time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from rtserver.schedule.batch import Hop, share_step, worth_sharing
from rtserver.schedule.costs import Costs, SoundYield, WorkStage
from rtserver.schedule.standing import Standing, Urgency, may_work, may_work_at_s, urgency
from rtserver.schedule.waits import CAUTION_DEVIATIONS

# The quantum of a listener that has less audio than this does not wait for a place at the talker.
COMFORT_S = 1.0
# The half-life of what a tenant had: after this long, half of it counts no more.
HALF_LIFE_S = 60.0
TYPICAL_FRAMES = 50  # of a hop: one chunk
# Two chunks. A newcomer would have longer ones beside it for longer.
_CPU_LONG_QUANTUM_TOKENS = 50
# On a GPU that talker and flow share. The talker makes the tokens of a first hop in about ten steps. If each waited for
# a longer step of the flow, that alone would be a tenth of a second.
_GPU_STEP_S = 0.010


class Stream(Protocol):
    """What the scheduler asks of an utterance. Costs are predictions, in seconds."""

    @property
    def standing(self) -> Standing: ...
    @property
    def ahead_s(self) -> float:
        """Audio of the tokens that are there beyond those for the next hop."""

    def slack_s(self, now_s: float) -> float:
        """Audio that the listener will get without another quantum, and has not heard."""

    @property
    def sampling(self) -> bool:
        """Whether the talker is at a quantum of it."""

    @property
    def idle(self) -> bool:
        """True when only text can bring more sound."""

    def can_sample(self) -> bool:
        """Whether there is a quantum for the talker."""

    def standing_released(self, now_s: float) -> Standing:
        """As it were if a first sound that is kept back were released now."""

    def quantum_cost_s(self, costs: Costs) -> float:
        """From the next quantum's start to its samples."""

    def hop_cost_s(self, costs: Costs) -> float:
        """Of the running or next hop, from its first step to its samples. It must not shrink while the hop runs,
        because it orders hops: two that are due together would take turns, and both would be late."""

    def hop_left_s(self, costs: Costs) -> float:
        """From here to the hop's samples."""


@dataclass(frozen=True)
class Places:
    """How much runs side by side."""

    # Quanta at the talker, before those with time must wait.
    quanta: int
    # Hops in one Euler step.
    hops: int
    # Quanta at the talker while all streams are batch work. 0: as many as otherwise.
    batch_quanta: int = 0
    # How long an Euler step may take if several hops share it. What comes meanwhile waits for its end: the hop of a
    # newcomer, and where both share a GPU the talker's next step.
    step_s: float = math.inf
    # Tokens of a quantum whose listener has time: each quantum costs some time of its own. 0: what the next hop needs.
    long_quantum_tokens: int = 0

    @classmethod
    def of(cls, device: str, hops: int = 0, step_s: float = 0.0) -> Places:
        """What suits a device. How many hops gain by sharing a step is measured: see `share_step`. hops: at most so
        many; 0 for no such limit. step_s: 0 for what suits the device."""
        if device == "cpu":
            suits = cls(quanta=2, hops=4, batch_quanta=6, long_quantum_tokens=_CPU_LONG_QUANTUM_TOKENS)
        else:
            suits = cls(quanta=64, hops=64, step_s=_GPU_STEP_S)
        return replace(suits, hops=min(hops or suits.hops, suits.hops), step_s=step_s or suits.step_s)


@dataclass
class Served:
    """How much audio each tenant's batch work had lately."""

    # Seconds, and the time at which there were this many.
    _had: dict[str, tuple[float, float]] = field(default_factory=dict)

    def add(self, tenant: str, audio_s: float, now_s: float) -> None:
        self._had[tenant] = self.had_s(tenant, now_s) + audio_s, now_s
        if len(self._had) > 1000:
            self._had = {t: had for t, had in self._had.items() if self.had_s(t, now_s) > 1.0}

    def had_s(self, tenant: str, now_s: float) -> float:
        seconds, at_s = self._had.get(tenant, (0.0, now_s))
        return float(seconds * 0.5 ** ((now_s - at_s) / HALF_LIFE_S))


S = TypeVar("S", bound=Stream)
J = TypeVar("J")


class Scheduler:
    """The policy. Baselines override `_urgency` and `share`."""

    # Whether the first sound for a realtime listener may be kept back until the next one will follow it.
    holds_first_sound = True

    def __init__(self, places: Places, costs: Costs | None = None) -> None:
        self.places = places
        # What work takes.
        self.costs = costs or Costs()
        # What it takes while several streams are made. On cores that share caches and clocks that is half as much
        # again. A newcomer never comes alone, so admission counts with these.
        self.crowded = deepcopy(self.costs)
        # How much sound the work gives.
        self.sound = SoundYield()
        # What each tenant's batch work had.
        self.served = Served()

    def note(self, stage: WorkStage, size: int, seconds: float, streams: int) -> None:
        """What a piece of work took while this many streams were made."""
        self.costs.note(stage, size, seconds)
        if streams > 1:
            self.crowded.note(stage, size, seconds)

    # -- talker -----------------------------------------------------------------------------------------------------

    def talker_s(self, tokens: int, quantum_tokens: int) -> float:
        """Predicted time of the talker for `tokens` tokens of a stream among several, in quanta of `quantum_tokens`:
        what a quantum takes is shared by those beside it. 0 while nothing is known."""
        quantum_s = self.crowded.predict("quantum", quantum_tokens)
        return tokens / quantum_tokens * quantum_s / self.places.quanta

    def quanta(self, streams: Sequence[S], now_s: float) -> tuple[list[S], float | None]:
        """Whose quanta go to the talker now, and when to look again (None: when something has happened).

        The talker runs all its quanta side by side, and each takes longer with more beside it. So quanta that have time
        wait while all places are taken: then the first quantum of a newcomer has few beside it. The quantum of a
        listener that has less than COMFORT_S goes at once. While there is only batch work, there are more places,
        because quanta side by side take the talker less time in all. A newcomer then has more beside it, for one
        quantum at most.
        """
        waiting: list[tuple[Urgency, float, S]] = []
        wake_s: float | None = None
        taken, heard = 0, False
        for stream in streams:
            taken += stream.sampling
            standing, ahead_s = stream.standing, stream.ahead_s
            heard = heard or standing.service_class != "batch"
            if not may_work(standing, now_s, ahead_s=ahead_s):
                at_s = may_work_at_s(standing, ahead_s=ahead_s)
                wake_s = at_s if wake_s is None or (at_s is not None and at_s < wake_s) else wake_s
            elif stream.can_sample():
                key = self._urgency(standing, stream.quantum_cost_s(self.costs), now_s, ahead_s)
                waiting.append((key, standing.covered_s(now_s), stream))
        places = (self.places.quanta if heard else max(self.places.quanta, self.places.batch_quanta)) - taken
        chosen: list[S] = []
        for key, covered_s, stream in sorted(waiting, key=lambda w: w[0]):
            pressing = not key[0] and covered_s < COMFORT_S
            if pressing or len(chosen) < places:
                chosen.append(stream)
        return chosen, wake_s

    def long_tokens(self, stream: Stream, now_s: float) -> int:
        """How many tokens the next quantum of a stream may bring, even if its next hop needs fewer; 0: no more than
        that. Cutting speech into fewer quanta saves time. But a listener gets no token of a quantum before its last one
        is there. So it is long only if the listener has COMFORT_S left when all of it could be sound."""
        tokens, standing = self.places.long_quantum_tokens, stream.standing
        if standing.max_lead_s is not None and standing.covered_s(now_s) > standing.max_lead_s:
            return 0  # a long one would take it further beyond what is to be ready
        if standing.service_class == "batch":
            return tokens
        sound_s = self.costs.predict("quantum", tokens, CAUTION_DEVIATIONS) + stream.hop_cost_s(self.costs)
        return tokens if stream.slack_s(now_s) >= sound_s + COMFORT_S else 0

    # -- flow -------------------------------------------------------------------------------------------------------

    def hop_urgency(self, stream: Stream, now_s: float) -> Urgency:
        """Orders the hops of all streams."""
        return self._urgency(stream.standing, stream.hop_cost_s(self.costs), now_s)

    def share(self, hops: Iterable[Hop[J]], now_s: float) -> list[J]:
        """What the next Euler step advances, of the hops that may run."""
        return share_step(hops, self.costs, self.places.hops, now_s, self.places.step_s)

    def before_s(self, stream: S, streams: Iterable[S], now_s: float) -> float:
        """If the first sound of `stream` were released now: the predicted time of the hops that go before its next hop,
        also of those whose tokens are still being sampled."""
        own = self._urgency(stream.standing_released(now_s), stream.hop_cost_s(self.costs), now_s)
        lefts_s = [
            other.hop_left_s(self.costs)
            for other in streams
            if other is not stream and not other.idle and may_work(other.standing, now_s)
            if self.hop_urgency(other, now_s) < own
        ]
        return sum(lefts_s) * self._together(min(len(lefts_s), self.places.hops))

    def _together(self, hops: int) -> float:
        """What this many hops take side by side, as a share of what they take one after the other."""
        one_s = self.costs.predict("step", TYPICAL_FRAMES)
        if hops < 2 or one_s == 0:
            return 1.0
        all_s = self.costs.predict("step", hops * TYPICAL_FRAMES)
        return all_s / (hops * one_s) if worth_sharing(all_s - one_s, (hops - 1) * one_s) else 1.0

    def _urgency(self, standing: Standing, cost_s: float, now_s: float, ahead_s: float = 0.0) -> Urgency:
        return urgency(standing, cost_s, ahead_s=ahead_s, had_s=self.served.had_s(standing.tenant, now_s))
