"""Who may speak: a newcomer whose sound would come late, or make others run dry, is refused. Pure: time is an argument.

It is refused at once, because then its caller can try another server. Only streams that are still being made take a
place: one that is made, and is only being heard, takes none.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal, NamedTuple

from rtserver.ipc.engine import ServiceClass
from rtserver.schedule.capacity import FULL_UTILISATION, YOUNG, Figures, speaking_at_once
from rtserver.schedule.reservations import Reservation

Reason = Literal["streams", "batch", "capacity", "memory", "ttfa", "tenant"]

# A tenant that was refused so lately still wants a place.
WANTS_S = 10.0
RETRY_MIN_S, RETRY_MAX_S = 0.2, 10.0
# How long a stream is made, before any was seen to its end.
FIRST_GUESS_S = 3.0
_WEIGHT = 0.1


class Why(NamedTuple):
    """Why an utterance cannot have a place."""

    reason: Reason
    text: str


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
    # An utterance that has waited for text for this long gives its place back.
    place_idle_s: float = 5.0
    # The place of a conversation that is silent for this long is kept no more.
    reservation_idle_s: float = 300.0


@dataclass
class _Live:
    tenant: str
    service_class: ServiceClass
    reservation: str
    since_s: float
    begun: bool = False
    # Whether it has given its place back, because it waits for text.
    rests: bool = False
    # Whether it has text again, and waits for a place.
    returns: bool = False


class Admission:
    """Knows every utterance that is open. `figures_now` gives what the device last said of itself. None: nothing yet;
    then only max_streams and max_batch count."""

    def __init__(self, limits: AdmissionLimits, figures_now: Callable[[], Figures | None]) -> None:
        self.limits = limits
        self._figures_now = figures_now
        self.refusals: Counter[Reason] = Counter()
        self._live: dict[str, _Live] = {}
        self._reservations: dict[str, Reservation] = {}
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
        """Takes an utterance in, or says why not. Of a reservation, one utterance at a time is taken, unless
        `max_streams` are open or more conversations speak at once than their shares let expect. Batch work takes no
        place, because it gets only what realtime work leaves; it has a bound of its own."""
        self._look(now_s, reservation)
        if (why := self._why_not(tenant, service_class, reservation, now_s)) is not None:
            return self._refuse(why, tenant, now_s)
        self._live[name] = live = _Live(tenant, service_class, reservation, now_s)
        self._wanted_s.pop(tenant, None)
        self._use(live, now_s, 1)
        return None

    def begun(self, name: str) -> None:
        """Its first sound is out."""
        if (live := self._live.get(name)) is not None:
            live.begun = True

    def over(self, name: str, now_s: float) -> None:
        """An utterance is made, failed or cancelled. May be called again."""
        self.rest(name, now_s)
        self._live.pop(name, None)

    # -- utterances that wait for text ------------------------------------------------------------------------------

    def rest(self, name: str, now_s: float) -> None:
        """An utterance waits for text: it gives its place back. May be called again."""
        live = self._live.get(name)
        if live is None:
            return
        live.returns = False
        if live.rests:
            return
        live.rests = True
        self._use(live, now_s, -1)
        if live.service_class == "realtime":
            self._made_s += _WEIGHT * (now_s - live.since_s - self._made_s)

    def come_back(self, name: str, now_s: float, *, waits: bool) -> Refusal | None:
        """An utterance that rests has text again: it takes a place, or hears why not. waits: it asks again until there
        is a place, and no newcomer is taken before it. What it hears then is not counted as a refusal."""
        live = self._live[name]
        self._look(now_s, live.reservation)
        why = self._why_not(live.tenant, live.service_class, live.reservation, now_s, goes_on=waits)
        live.returns = waits and why is not None
        if why is not None:
            return self._refusal(why) if waits else self._refuse(why, live.tenant, now_s)
        live.rests, live.since_s = False, now_s
        self._use(live, now_s, 1)
        return None

    # -- conversations ----------------------------------------------------------------------------------------------

    def reserve(self, name: str, tenant: str, share: float, now_s: float) -> Refusal | None:
        """Keeps a place for a conversation that speaks `share` of the time, until `unreserve`; or says why not."""
        for reservation in self._reservations.values():
            reservation.look(now_s)
        if not self._can_promise(share):
            text = f"no place for a conversation that speaks {share:.0%} of the time: {self._words()}"
            return self._refuse(Why("capacity", text), tenant, now_s)
        self._reservations[name] = Reservation(share, self.limits.reservation_idle_s, now_s)
        return None

    def unreserve(self, name: str) -> None:
        """The conversation is over. May be called again."""
        self._reservations.pop(name, None)

    # -- places -----------------------------------------------------------------------------------------------------

    def live(self, service_class: ServiceClass) -> int:
        """Utterances of a class that are open and do not rest."""
        return sum(live.service_class == service_class and not live.rests for live in self._live.values())

    @property
    def demand(self) -> float:
        """Places that are taken or promised."""
        return self._unreserved() + self._promised(self._shares())

    @property
    def pressing(self) -> float:
        """The places that streams need now: more while they begin, less where listeners have slack."""
        spare = 0.0 if self.figures is None else self.figures.spare
        return max(0.0, YOUNG * self._unreserved() - spare) + self._promised(self._shares())

    def _has_place(self, reservation: str) -> bool:
        """Whether it is the one utterance of a conversation that has a place."""
        if not self.limits.enabled or self.figures is None:
            return True
        found = self._reservations.get(reservation)
        if found is None or not found.kept or not found.silent:
            return False
        return self._speaking() < math.ceil(speaking_at_once(self._shares()))

    def _look(self, now_s: float, reservation: str) -> None:
        """Looks which conversations keep their places. The one that wants to speak gets its place again if it was idle
        and there is room."""
        for each in self._reservations.values():
            each.look(now_s)
        found = self._reservations.get(reservation)
        if found is not None and found.is_idle(now_s) and self._can_promise(found.share):
            found.renew(now_s)

    def _use(self, live: _Live, now_s: float, by: int) -> None:
        """An utterance of a conversation takes a place, or gives it back."""
        found = self._reservations.get(live.reservation)
        if found is None or live.service_class == "batch":
            return
        if by > 0:
            found.begin(now_s)
        elif not found.silent:
            found.end(now_s)

    def _why_not(
        self, tenant: str, service_class: ServiceClass, reservation: str, now_s: float, *, goes_on: bool = False
    ) -> Why | None:
        """Why an utterance cannot have a place, if it cannot. goes_on: its listener has heard a part of it."""
        limits = self.limits
        if service_class == "batch":
            text = f"expected at most {limits.max_batch} utterances of class batch at once, and all are open"
            return Why("batch", text) if self.live("batch") >= limits.max_batch else None
        if self.live("realtime") >= limits.max_streams:
            text = f"expected at most {limits.max_streams} realtime utterances at once, and all are open"
            return Why("streams", text)
        if self._has_place(reservation):
            return None
        return self._no_room() if goes_on else self._no_place(tenant, now_s)

    def _no_room(self) -> Why | None:
        """Why an utterance cannot go on yet, if it cannot."""
        assert self.figures is not None, "_has_place tells"
        full = self.demand > 0 and self.demand + 1 > self.figures.streams_in(FULL_UTILISATION)
        return Why("capacity", f"no place to go on: {self._words()}") if full else None

    def _no_place(self, tenant: str, now_s: float) -> Why | None:
        """Why a newcomer without a reservation cannot be taken, if it cannot."""
        figures = self.figures
        assert figures is not None, "_has_place tells"
        if figures.streams_in_memory < 1:
            return Why("memory", "no memory for the keys and values of another stream")
        # A single stream is taken on any machine, also on one that is too slow.
        first = sum(live.returns for live in self._live.values())  # they go on before a newcomer begins
        demand, pressing = self.demand + first, self.pressing + first
        full = pressing + YOUNG > figures.streams or demand + 1 > figures.streams_in(FULL_UTILISATION)
        if demand > 0 and full:
            return Why("capacity", f"no place for another stream: {self._words()}")
        waiting = sum(not live.begun for live in self._realtime())
        first_s = figures.first_sound_s(waiting)
        if waiting and first_s > self.limits.ttfa_s:
            text = f"first sound predicted after {first_s:.1f} s, {waiting} others wait for theirs"
            return Why("ttfa", text)
        if self._is_greedy(tenant, figures.streams, now_s):
            return Why("tenant", "others wait for the places of theirs that are left")
        return None

    def _is_greedy(self, tenant: str, streams: float, now_s: float) -> bool:
        """Whether a tenant that has its share would take a place that another one waits for."""
        held = Counter(live.tenant for live in self._realtime())
        self._wanted_s = {t: at_s for t, at_s in self._wanted_s.items() if now_s - at_s < WANTS_S}
        share = streams / len({tenant, *held, *self._wanted_s})
        waiting = sum(t != tenant and held[t] + 1 <= share for t in self._wanted_s)
        return waiting > 0 and held[tenant] + 1 > share and self.pressing + YOUNG + waiting > streams

    def _realtime(self) -> list[_Live]:
        return [live for live in self._live.values() if live.service_class == "realtime" and not live.rests]

    def _unreserved(self) -> float:
        """Streams without those that use a reservation."""
        return len(self._realtime()) - self._speaking()

    def _speaking(self) -> int:
        """Conversations with a place that speak now."""
        return sum(r.kept and not r.silent for r in self._reservations.values())

    def _shares(self) -> list[float]:
        """Of the conversations whose places are kept."""
        return [r.share for r in self._reservations.values() if r.kept]

    def _promised(self, shares: Collection[float]) -> float:
        """Places that are kept for conversations: for those that speak now, and at least for as many as are expected
        to."""
        return max(float(self._speaking()), speaking_at_once(shares))

    def _can_promise(self, share: float) -> bool:
        """Whether a place can be kept for another conversation."""
        return (
            not self.limits.enabled or self._unreserved() + self._promised([*self._shares(), share]) <= self._streams()
        )

    def _streams(self) -> float:
        figures = self.figures
        return math.inf if figures is None else figures.streams

    def _words(self) -> str:
        return f"{self.pressing:.1f} of {self._streams():.1f} places are taken"

    def _refuse(self, why: Why, tenant: str, now_s: float) -> Refusal:
        self.refusals[why.reason] += 1
        if why.reason != "batch":  # such a tenant waits for no place
            self._wanted_s[tenant] = now_s
        return self._refusal(why)

    def _refusal(self, why: Why) -> Refusal:
        places = max(1, self.live("realtime"))
        return Refusal(why.reason, why.text, min(max(self._made_s / places, RETRY_MIN_S), RETRY_MAX_S))
