"""Where an utterance stands: how soon its next work is due. Pure: time is an argument.

One key orders both the talker's quanta and the flow's hops (`urgency`). Work whose listener has enough, or whose sound
is not taken, waits (`may_work`). All times are seconds of one monotonic clock.
"""

from __future__ import annotations

from dataclasses import dataclass

from rtserver.ipc.engine import ServiceClass
from rtserver.schedule.playback import Playback

# When the first sound of an utterance is due after its first text.
TTFA_TARGET_S = 0.3

# Batch work behind all realtime work; then a deadline, or how much a tenant had; then who came first.
Urgency = tuple[bool, float, float]


@dataclass(frozen=True)
class Standing:
    """What the schedule must know of an utterance."""

    playback: Playback
    # When its first text came.
    since_s: float
    # Audio that its sampled speech tokens will give.
    unvoiced_s: float
    service_class: ServiceClass
    # Work stops while the listener has so much audio that was not heard yet. None: no bound.
    max_lead_s: float | None
    # Whether work is stopped: its sound is not taken, or there is no memory for it.
    held: bool
    tenant: str = ""
    # When the first sound is due after the first text.
    first_due_s: float = TTFA_TARGET_S

    def covered_s(self, now_s: float) -> float:
        """Audio that the listener will get without another speech token."""
        return self.playback.lead_s(now_s) + self.unvoiced_s

    @property
    def due_s(self) -> float:
        """When its next audio is due: its listener runs dry, or waits for the first sound."""
        return self.playback.dry_at_s if self.playback.begun else self.since_s + self.first_due_s


def urgency(standing: Standing, cost_s: float, *, ahead_s: float = 0.0, had_s: float = 0.0) -> Urgency:
    """The smaller, the sooner. A realtime listener's deadline less the predicted cost of its next audio; `ahead_s` is
    audio that is on its way already. Nobody listens to batch work while it is made: it stands behind all realtime
    work, and goes to the tenant that had least (`had_s`), then to who came first."""
    if standing.service_class == "batch":
        return True, had_s, standing.since_s
    return False, standing.due_s + ahead_s - cost_s, standing.since_s


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
