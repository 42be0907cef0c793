"""Where an utterance stands: how soon its next work is due. Pure: time is an argument, in seconds.

`urgency` orders both the quanta of the talker and the hops of the flow. `may_work` says whether work is done at all: it
waits while the listener has enough, and while the sound is not taken.
"""

from __future__ import annotations

from dataclasses import dataclass

from rtserver.ipc.engine import ServiceClass
from rtserver.schedule.playback import Playback

# When the first sound of an utterance is due after its first text.
TTFA_TARGET_S = 0.3

# Whether it is batch work; then a deadline, or how much the tenant had; then when the first text came.
Urgency = tuple[bool, float, float]


@dataclass(frozen=True)
class Terms:
    """What the schedule must know of a request."""

    service_class: ServiceClass = "realtime"
    # Work stops while the listener has this much audio that was not heard yet. None: no bound.
    max_lead_s: float | None = None
    tenant: str = ""
    # When the first sound is due after the first text.
    first_due_s: float = TTFA_TARGET_S


@dataclass(frozen=True)
class Standing:
    """What the schedule must know of an utterance."""

    playback: Playback
    # When its first text came.
    since_s: float
    # Audio that its sampled speech tokens will give.
    unvoiced_s: float
    service_class: ServiceClass
    # Work stops while the listener has this much audio that was not heard yet. None: no bound.
    max_lead_s: float | None
    # Whether work is stopped: its sound is not taken, or there is no memory for it.
    held: bool
    tenant: str = ""
    # When the first sound is due after the first text.
    first_due_s: float = TTFA_TARGET_S

    @classmethod
    def of(cls, terms: Terms, playback: Playback, since_s: float, unvoiced_s: float, *, held: bool) -> Standing:
        """Of a request on these terms."""
        service_class, max_lead_s, tenant = terms.service_class, terms.max_lead_s, terms.tenant
        return cls(playback, since_s, unvoiced_s, service_class, max_lead_s, held, tenant, terms.first_due_s)

    def covered_s(self, now_s: float) -> float:
        """Audio that the listener will get without another speech token."""
        return self.playback.lead_s(now_s) + self.unvoiced_s

    @property
    def due_s(self) -> float:
        """When its next audio is due: its listener runs dry, or waits for the first sound."""
        return self.playback.dry_at_s if self.playback.begun else self.since_s + self.first_due_s


def urgency(standing: Standing, cost_s: float, *, ahead_s: float = 0.0, had_s: float = 0.0) -> Urgency:
    """The key of an utterance's next work. The smallest goes first.

    Realtime work goes by the latest time at which it can begin: when its audio is due, less its predicted cost. Batch
    work comes after all realtime work, since nobody listens while it is made. It goes to the tenant that had least.

    cost_s: of the next audio. ahead_s: audio that is on its way already. had_s: what the tenant's batch work had.
    """
    if standing.service_class == "batch":
        return True, had_s, standing.since_s
    return False, standing.due_s + ahead_s - cost_s, standing.since_s


def may_work(standing: Standing, now_s: float, *, ahead_s: float = 0.0) -> bool:
    """False while the listener has its `max_lead_s`, and while work is stopped. ahead_s: audio that is on its way."""
    if standing.held:
        return False
    return standing.max_lead_s is None or standing.playback.lead_s(now_s) + ahead_s < standing.max_lead_s


def may_work_at_s(standing: Standing, *, ahead_s: float = 0.0) -> float | None:
    """When `may_work` becomes true because time passes. None when that does not help."""
    if standing.held or standing.max_lead_s is None:
        return None
    return standing.playback.dry_at_s + ahead_s - standing.max_lead_s
