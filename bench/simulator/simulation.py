"""A simulated machine in simulated time, driven by the server's own schedule (rtserver.schedule).

Streams, talker and device take the times of a cost table. Nothing sleeps and nothing is random: the same load gives the
same events.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Protocol

from bench.simulator.acoustic import Acoustic
from bench.simulator.cost_table import CostTable
from bench.simulator.device import Clock
from bench.simulator.load import Load, Reply
from bench.simulator.making import Making
from bench.simulator.result import Outcome, Summary, rank, summarise
from bench.simulator.simulated import SimulatedStream
from rtserver.schedule.delivery import Sound
from rtserver.schedule.scheduler import Scheduler

_HOPELESS_S = 2.0
_PATIENCE_S = 60.0  # replies that are not over this long after the last one began are counted as they are


@dataclass(frozen=True)
class Entry:
    """An event for the log."""

    at_s: float
    # quantum: a quantum went to the talker (tokens). tokens: they came back (how many). turn: an Euler step began for
    # these streams. sound: sound went out (start, seconds). over, cancel, refuse: a stream ended.
    what: str
    names: tuple[str, ...]
    figures: tuple[float, ...] = ()

    def __str__(self) -> str:
        return " ".join([f"{self.at_s:.4f}", self.what, *self.names, *(f"{figure:.6g}" for figure in self.figures)])


class Gate(Protocol):
    """Decides which replies are accepted, and learns what happens to them."""

    def admit(self, reply: Reply, acoustic: Acoustic, now_s: float) -> bool: ...
    def begun(self, name: str) -> None: ...
    def over(self, name: str, now_s: float) -> None: ...


class Simulation:
    """Without a `gate` all replies are accepted. With `record` all events are kept in `log`."""

    def __init__(
        self,
        table: CostTable,
        scheduler: Scheduler,
        load: Load,
        making: Making | None = None,
        *,
        gate: Gate | None = None,
        record: bool = False,
    ) -> None:
        self.table = table
        self.scheduler = scheduler
        self.clock = Clock()
        self.acoustic = Acoustic(table, scheduler, making or Making(), self.clock, self)
        self.outcomes: dict[str, Outcome] = {}
        self.log: list[Entry] = []
        self._load = load
        self._gate = gate
        self._record = record
        for reply in load.begin():
            self._expect(reply)

    @property
    def now_s(self) -> float:
        return self.clock.now_s

    @property
    def streams(self) -> dict[str, SimulatedStream]:
        """The streams that are being made."""
        return self.acoustic.streams

    def step(self) -> bool:
        """Runs the next event. False when there is none."""
        return self.clock.step()

    def run(self, until_s: float = float("inf")) -> None:
        """Runs all events before `until_s`."""
        while (next_s := self.clock.next_s) is not None and next_s < until_s:
            self.clock.step()

    def measure(self, streams: int, from_s: float, to_s: float) -> Summary:
        """Runs to the end, or long enough for the replies that began by `to_s`. Returns the results of the replies of
        that time. If half of them wait for seconds, it stops early."""
        acoustic = self.acoustic
        self.run(from_s)
        before_s = acoustic.busy_s
        hopeless = False
        for part in (0.25, 0.5):
            if not hopeless:
                self.run(from_s + part * (to_s - from_s))
                hopeless = self._waiting_s(from_s) > _HOPELESS_S
        if hopeless:
            to_s = self.now_s
        self.run(to_s)
        flow_s, talker_s = (now_s - then_s for now_s, then_s in zip(acoustic.busy_s, before_s, strict=True))
        if not hopeless:
            self.run(to_s + _PATIENCE_S)
        return summarise(
            streams,
            list(self.outcomes.values()),
            from_s,
            to_s,
            flow=flow_s / (to_s - from_s),
            talker=talker_s / (to_s - from_s),
            rows_per_step=acoustic.rows / max(1, acoustic.steps),
            memory_peak=acoustic.memory.peak_bytes / self.table.kv_budget_bytes,
        )

    def _waiting_s(self, from_s: float) -> float:
        """Median of the time that replies have waited for their first sound so far."""
        waits_s = [
            (self.now_s if outcome.first_s is None else outcome.first_s) - outcome.reply.enough_s
            for outcome in self.outcomes.values()
            if outcome.reply.at_s >= from_s and not outcome.refused
        ]
        return rank(waits_s, 50) if waits_s else 0.0

    # -- from the load ----------------------------------------------------------------------------------------------

    def _expect(self, reply: Reply) -> None:
        acoustic = self.acoustic
        self.clock.at(reply.at_s, partial(self._arrives, reply))
        for after_s, allowed in reply.text:
            feed = partial(acoustic.feed, reply, allowed)
            self.clock.at(reply.at_s + after_s, partial(acoustic.message, feed))
        if reply.cancel_s is not None:
            self.clock.at(reply.at_s + reply.cancel_s, partial(self._cancel, reply))

    def _arrives(self, reply: Reply) -> None:
        outcome = self.outcomes[reply.name] = Outcome(reply)
        if self._gate is None or self._gate.admit(reply, self.acoustic, self.now_s):
            self.acoustic.message(partial(self.acoustic.open, reply))
            return
        outcome.refused, outcome.over_s = True, self.now_s
        self._log("refuse", reply.name)
        self._next(reply, self.now_s)

    def _cancel(self, reply: Reply) -> None:
        """The listener hears no more from now on. The work stops when the machine reads it."""
        outcome = self.outcomes[reply.name]
        if outcome.over_s is not None:
            return  # it was refused, or is already over
        outcome.cancelled, outcome.over_s = True, self.now_s
        self._log("cancel", reply.name)
        if self._gate is not None:
            self._gate.over(reply.name, self.now_s)
        self.acoustic.message(partial(self._stop, reply, self.now_s))
        self._next(reply, self.now_s)

    def _stop(self, reply: Reply, at_s: float) -> None:
        outcome, stream = self.outcomes[reply.name], self.streams.get(reply.name)
        if stream is not None:
            outcome.wasted_tokens = stream.unvoiced_tokens + self.acoustic.drop(stream)
            outcome.made_s = stream.audio_s
        outcome.wasted_s = outcome.made_s - outcome.playback.heard_s(at_s)

    def _heard_out(self, reply: Reply) -> None:
        outcome = self.outcomes[reply.name]
        if not outcome.cancelled:
            outcome.over_s = self.now_s
            self._next(reply, self.now_s)

    def _next(self, reply: Reply, at_s: float) -> None:
        following = self._load.after(reply, at_s)
        if following is not None:
            self._expect(following)

    # -- from the machine -------------------------------------------------------------------------------------------

    def heard(self, stream: SimulatedStream, sound: Sound) -> None:
        outcome = self.outcomes[stream.reply.name]
        if outcome.first_s is None and self._gate is not None:
            self._gate.begun(stream.reply.name)
        outcome.hear(sound.seconds, self.now_s)

    def over(self, stream: SimulatedStream) -> None:
        reply, outcome = stream.reply, self.outcomes[stream.reply.name]
        outcome.memory_s, outcome.made_s = stream.memory_s, stream.audio_s
        self._log("over", reply.name)
        if self._gate is not None:
            self._gate.over(reply.name, self.now_s)
        self.clock.at(outcome.playback.dry_at_s, partial(self._heard_out, reply))

    def note(self, what: str, streams: list[SimulatedStream], *figures: float) -> None:
        self._log(what, *(stream.reply.name for stream in streams), figures=figures)

    def _log(self, what: str, *names: str, figures: tuple[float, ...] = ()) -> None:
        if self._record:
            self.log.append(Entry(self.now_s, what, names, figures))
