"""Who may speak: a newcomer whose sound would come late, or make others run dry, is refused. Pure: time is an argument.

It is refused at once, because then its caller can try another server. Only streams that are still being made take a
place: one that is made, and is only being heard, takes none.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal

from rtserver.ipc.engine import ServiceClass
from rtserver.schedule.capacity import FULL_UTILISATION, YOUNG, Figures, speaking_at_once

Reason = Literal["streams", "batch", "capacity", "memory", "ttfa", "tenant"]

# A tenant that was refused so lately still wants a place.
WANTS_S = 10.0
RETRY_MIN_S, RETRY_MAX_S = 0.2, 10.0
# How long a stream is made, before any was seen to its end.
FIRST_GUESS_S = 3.0
_WEIGHT = 0.1


@dataclass(frozen=True)
class Refusal:
    """Why an utterance is refused, and when to try again."""

    reason: Reason
    text: str
    retry_after_s: float


@dataclass(frozen=True)
class AdmissionLimits:
    """What is promised at most."""

    # Realtime utterances that may be open, whatever the device can do.
    max_streams: int = 32
    # Utterances of the class batch that may be open.
    max_batch: int = 32
    # A newcomer is refused if its first sound is predicted to come later than this.
    ttfa_s: float = 3.0
    # False: only max_streams and max_batch count.
    enabled: bool = True


@dataclass
class _Live:
    tenant: str
    service_class: ServiceClass
    reservation: str
    since_s: float
    begun: bool = False


@dataclass(frozen=True)
class _Reservation:
    tenant: str
    share: float


class Admission:
    """Knows every utterance that is open. `figures_now` gives what the device last said of itself. None: nothing yet;
    then only max_streams and max_batch count."""

    def __init__(self, limits: AdmissionLimits, figures_now: Callable[[], Figures | None]) -> None:
        self.limits = limits
        self._figures_now = figures_now
        self.refusals: Counter[Reason] = Counter()
        self._live: dict[str, _Live] = {}
        self._reservations: dict[str, _Reservation] = {}
        self._wanted_s: dict[str, float] = {}  # when each tenant was refused last
        self._made_s = FIRST_GUESS_S  # how long a stream is made, on average

    @property
    def figures(self) -> Figures | None:
        """What the device last said of itself."""
        return self._figures_now()

    # -- utterances -------------------------------------------------------------------------------------------------

    def admit(
        self, name: str, tenant: str, service_class: ServiceClass, now_s: float, reservation: str = ""
    ) -> Refusal | None:
        """Takes an utterance in, or says why not. Of a reservation, one utterance at a time is taken unless
        `max_streams` are open. Batch work takes no place, because it gets only what realtime work leaves; it has a
        bound of its own."""
        refusal = None
        if service_class == "batch":
            if self.live("batch") >= self.limits.max_batch:
                text = f"expected at most {self.limits.max_batch} utterances of class batch at once, and all are open"
                refusal = self._refuse("batch", text, tenant, now_s)
        elif self.live("realtime") >= self.limits.max_streams:
            text = f"expected at most {self.limits.max_streams} realtime utterances at once, and all are open"
            refusal = self._refuse("streams", text, tenant, now_s)
        elif not self._has_place(reservation):
            refusal = self._no_place(tenant, now_s)
        if refusal is None:
            self._live[name] = _Live(tenant, service_class, reservation, now_s)
            self._wanted_s.pop(tenant, None)
        return refusal

    def begun(self, name: str) -> None:
        """Its first sound is out."""
        if (live := self._live.get(name)) is not None:
            live.begun = True

    def over(self, name: str, now_s: float) -> None:
        """An utterance is made, failed or cancelled. May be called again."""
        live = self._live.pop(name, None)
        if live is not None and live.service_class == "realtime":
            self._made_s += _WEIGHT * (now_s - live.since_s - self._made_s)

    # -- conversations ----------------------------------------------------------------------------------------------

    def reserve(self, name: str, tenant: str, share: float, now_s: float) -> Refusal | None:
        """Keeps a place for a conversation that speaks `share` of the time, until `unreserve`; or says why not."""
        wanted = [*(r.share for r in self._reservations.values()), share]
        if self.limits.enabled and self._unreserved() + self._promised(wanted) > self._streams():
            text = f"no place for a conversation that speaks {share:.0%} of the time: {self._words()}"
            return self._refuse("capacity", text, tenant, now_s)
        self._reservations[name] = _Reservation(tenant, share)
        return None

    def unreserve(self, name: str) -> None:
        """The conversation is over. May be called again."""
        self._reservations.pop(name, None)

    # -- places -----------------------------------------------------------------------------------------------------

    def live(self, service_class: ServiceClass) -> int:
        """Utterances of a class that are open."""
        return sum(live.service_class == service_class for live in self._live.values())

    @property
    def demand(self) -> float:
        """Places that are taken or promised."""
        return self._unreserved() + self._promised([r.share for r in self._reservations.values()])

    @property
    def pressing(self) -> float:
        """The places that streams need now: more while they begin, less where listeners have slack."""
        spare = 0.0 if self.figures is None else self.figures.spare
        promised = self._promised([r.share for r in self._reservations.values()])
        return max(0.0, YOUNG * self._unreserved() - spare) + promised

    def _has_place(self, reservation: str) -> bool:
        """Whether it is the one utterance of a conversation that has a place."""
        if not self.limits.enabled or self.figures is None:
            return True
        if reservation not in self._reservations:
            return False
        return all(live.reservation != reservation for live in self._realtime())

    def _no_place(self, tenant: str, now_s: float) -> Refusal | None:
        """Why a newcomer without a reservation cannot be taken, if it cannot."""
        figures = self.figures
        assert figures is not None, "_has_place tells"
        if figures.streams_in_memory < 1:
            return self._refuse("memory", "no memory for the keys and values of another stream", tenant, now_s)
        # A single stream is taken on any machine, also on one that is too slow.
        full = self.pressing + YOUNG > figures.streams or self.demand + 1 > figures.streams_in(FULL_UTILISATION)
        if self.demand > 0 and full:
            return self._refuse("capacity", f"no place for another stream: {self._words()}", tenant, now_s)
        waiting = sum(not live.begun for live in self._realtime())
        first_s = figures.first_sound_s(waiting)
        if waiting and first_s > self.limits.ttfa_s:
            text = f"first sound predicted after {first_s:.1f} s, {waiting} others wait for theirs"
            return self._refuse("ttfa", text, tenant, now_s)
        if self._is_greedy(tenant, figures.streams, now_s):
            return self._refuse("tenant", "others wait for the places of theirs that are left", tenant, now_s)
        return None

    def _is_greedy(self, tenant: str, streams: float, now_s: float) -> bool:
        """Whether a tenant that has its share would take a place that another one waits for."""
        held = Counter(live.tenant for live in self._realtime())
        self._wanted_s = {t: at_s for t, at_s in self._wanted_s.items() if now_s - at_s < WANTS_S}
        share = streams / len({tenant, *held, *self._wanted_s})
        waiting = sum(t != tenant and held[t] + 1 <= share for t in self._wanted_s)
        return waiting > 0 and held[tenant] + 1 > share and self.pressing + YOUNG + waiting > streams

    def _realtime(self) -> list[_Live]:
        return [live for live in self._live.values() if live.service_class == "realtime"]

    def _unreserved(self) -> float:
        """Streams without those that use a reservation."""
        realtime = self._realtime()
        return len(realtime) - len({r.reservation for r in realtime if r.reservation in self._reservations})

    def _promised(self, shares: Collection[float]) -> float:
        """Places that are kept for conversations: for those that speak now, and at least for as many as are expected
        to."""
        speaking = len({r.reservation for r in self._realtime() if r.reservation in self._reservations})
        return max(float(speaking), speaking_at_once(shares))

    def _streams(self) -> float:
        figures = self.figures
        return math.inf if figures is None else figures.streams

    def _words(self) -> str:
        return f"{self.pressing:.1f} of {self._streams():.1f} places are taken"

    def _refuse(self, reason: Reason, text: str, tenant: str, now_s: float) -> Refusal:
        self.refusals[reason] += 1
        if reason != "batch":  # such a tenant waits for no place
            self._wanted_s[tenant] = now_s
        places = max(1, self.live("realtime"))
        return Refusal(reason, text, min(max(self._made_s / places, RETRY_MIN_S), RETRY_MAX_S))
