"""Whose turn it is: every stage's next work is ordered by when its listener would run dry. Pure: time is an argument.

One key orders both the talker's quanta and the flow's hops (`urgency`). Work whose listener has enough, or whose sound
is not taken, waits (`may_work`). All times are seconds of one monotonic clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from rtserver.messages.engine import ServiceClass
from rtserver.playback import Playback

Stage = Literal["quantum", "step", "vocoder"]

# When the first sound of an utterance is due after its first text.
TTFA_TARGET_S = 0.3
# How long before its listener runs dry a sequence without text is closed: what the closing itself takes comes on top.
STARVATION_MARGIN_S = 0.15
# A text that stops with nobody listening to anything is spoken as far as it goes.
FIRST_TEXT_PATIENCE_S = 0.8
# Before the closing the reader is asked for the words that it still holds.
HUNGRY_BEFORE_S = 0.25
# A first sound shorter than the wait for the next one would be followed by silence: it is kept back, for so long at
# most, until the next one is due in this share of its length.
LONGEST_HOLD_S = 0.6
DUE_SHARE = 0.7
CAUTION_DEVIATIONS = 2.0  # of what sampling takes, for that prediction
# A listener with less than this is never made to wait for a free place at the talker.
COMFORT_S = 1.0

K = TypeVar("K")


@dataclass(frozen=True)
class Standing:
    """What the schedule must know of an utterance.

    since_s: when its first text came. unvoiced_s: audio that its sampled speech tokens will give.
    """

    playback: Playback
    since_s: float
    unvoiced_s: float
    service_class: ServiceClass
    max_lead_s: float | None
    held: bool

    def covered_s(self, now_s: float) -> float:
        """Audio that the listener will get without another speech token."""
        return self.playback.lead_s(now_s) + self.unvoiced_s


Urgency = tuple[bool, float]


def urgency(standing: Standing, cost_s: float, *, ahead_s: float = 0.0) -> Urgency:
    """The smaller, the sooner. A realtime listener's deadline (dry, or the first sound's due time) less the predicted
    cost of its next audio; `ahead_s` is audio that is on its way already. Batch work stands behind all realtime work.
    """
    playback = standing.playback
    due_s = playback.dry_at_s if playback.begun else standing.since_s + TTFA_TARGET_S
    return standing.service_class == "batch", due_s + ahead_s - cost_s


def may_work(standing: Standing, now_s: float, *, ahead_s: float = 0.0) -> bool:
    """False while the listener has its `max_lead_s`, or its sound is not taken."""
    if standing.held:
        return False
    return standing.max_lead_s is None or standing.playback.lead_s(now_s) + ahead_s < standing.max_lead_s


def may_work_at_s(standing: Standing, *, ahead_s: float = 0.0) -> float | None:
    """When `may_work` becomes true by itself; None when it does not."""
    if standing.held or standing.max_lead_s is None:
        return None
    return standing.playback.dry_at_s + ahead_s - standing.max_lead_s


def most_urgent(candidates: Iterable[tuple[Urgency, K]], count: int) -> list[K]:
    """The first `count` of them, the most urgent first. Those of equal urgency keep their order."""
    return [key for _, key in sorted(candidates, key=lambda c: c[0])[:count]]


def quanta_to_send(
    waiting: Iterable[tuple[Urgency, Standing, K]], in_flight: int, places: int, now_s: float
) -> list[K]:
    """Which quanta go to the talker now. It runs all it has side by side and none sooner than it can, so what has time
    is kept back while all `places` are taken: a newcomer's first quantum then has few beside it. One whose listener has
    less than COMFORT_S goes at once."""
    chosen: list[K] = []
    for (batch, _), standing, key in sorted(waiting, key=lambda w: w[0]):
        pressing = not batch and standing.covered_s(now_s) < COMFORT_S
        if pressing or in_flight + len(chosen) < places:
            chosen.append(key)
    return chosen


def first_sound_at_s(made_s: float, audio_s: float, next_due_s: float) -> float:
    """When a first sound of `audio_s`, there since `made_s`, begins if the next one is predicted for `next_due_s`."""
    return min(made_s + LONGEST_HOLD_S, next_due_s - DUE_SHARE * audio_s)


@dataclass
class Starvation:
    """When an utterance that cannot go on without text asks for more, and when it is closed with what it has.

    A listener that has audio left waits until that is nearly over. Before the first sound, and where text comes to a
    listener who is dry, it may pause for FIRST_TEXT_PATIENCE_S: single words are not spoken one by one.
    """

    close_at_s: float
    ask_at_s: float

    @classmethod
    def of(cls, playback: Playback, last_text_s: float, cost_s: float) -> Starvation:
        """cost_s: predicted, from the closing to the next sound."""
        close_at_s = playback.dry_at_s - cost_s - STARVATION_MARGIN_S
        if not playback.begun or close_at_s < last_text_s:
            close_at_s = last_text_s + FIRST_TEXT_PATIENCE_S
        return cls(close_at_s, close_at_s - HUNGRY_BEFORE_S)


@dataclass
class Costs:
    """Exponential averages of what work took, by stage and size (frames, tokens), for predictions.

    A size that was never seen is predicted from the nearest one, in proportion when that is smaller. Deviations from
    the averages are averaged too: where being late is worse than being early, some of them are added.
    """

    weight: float = 0.2
    _averages: dict[tuple[Stage, int], float] = field(default_factory=dict)
    _deviations: dict[tuple[Stage, int], float] = field(default_factory=dict)

    def note(self, stage: Stage, size: int, seconds: float) -> None:
        """Counts one piece of work."""
        key = (stage, _bucket(size))
        known = self._averages.get(key)
        if known is None:
            self._averages[key], self._deviations[key] = seconds, 0.0
            return
        self._averages[key] = known + self.weight * (seconds - known)
        self._deviations[key] += self.weight * (abs(seconds - known) - self._deviations[key])

    def predict(self, stage: Stage, size: int, deviations: float = 0.0) -> float:
        """Seconds, and so many mean deviations on top; 0 while nothing of this stage was seen."""
        bucket = _bucket(size)
        known = {b: seconds for (s, b), seconds in self._averages.items() if s == stage}
        if not known:
            return 0.0
        nearest = min(known, key=lambda b: (abs(b - bucket), b))
        seconds = known[nearest] + deviations * self._deviations[stage, nearest]
        return seconds * max(1.0, bucket / nearest)


def _bucket(size: int) -> int:
    """Sizes that cost about the same: tens, rounded up."""
    return max(10, -(-size // 10) * 10)
