"""The steps of a sweep: its loads, the service that must hold, and the highest load at which it does. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from bench.load.calls.measuring import Measuring, Voices
from bench.load.calls.plan import Loop, Plan, Workload, closed_loop, open_loop

_GEOMETRIC_STEPS = 30


@dataclass(frozen=True)
class Service:
    """The service that must hold."""

    # The largest p95 of TTFA.
    ttfa_target_s: float = 1.5
    # The smallest share of turns without a gap.
    continuity: float = 0.99
    # The largest share of refused turns.
    refused: float = 0.01

    def broken(self, summary: Mapping[str, Any]) -> list[str]:
        """The parts of the service that do not hold. Empty if all hold."""
        broken = []
        ttfa_ms, continuity, refused = summary["ttfa_ms"]["p95"], summary["continuity"], summary["refused_share"]
        if not summary["turns"]:
            return ["no turn began: measure for longer"]
        if refused > self.refused:
            broken.append(f"{100 * refused:.2f} % refused")
        if continuity is not None and continuity < self.continuity:
            broken.append(f"continuity {100 * continuity:.2f} %")
        if ttfa_ms is not None and ttfa_ms > self.ttfa_target_s * 1000:
            broken.append(f"TTFA p95 {ttfa_ms:.0f} ms")
        return broken


@dataclass(frozen=True)
class SweepOptions:
    """Which loads a sweep tries."""

    # In rising order: calls a minute (open loop) or talkers (closed loop).
    loads: tuple[float, ...]
    workload: Workload = field(default_factory=Workload)
    loop: Loop = "open"
    service: Service = field(default_factory=Service)
    # Number of loads to try between the last that held and the first that did not.
    refine: int = 2
    # More loads, as multiples of the limit.
    also: tuple[float, ...] = ()
    # Whether loads above the first that did not hold are also tried.
    to_the_end: bool = False
    measuring: Measuring = field(default_factory=Measuring)

    def plan(self, load: float, voices: Voices) -> Plan:
        """The plan for a load. It is the same for every server that has these voices."""
        if self.loop == "closed":
            return closed_loop(self.workload, round(load), voices)
        return open_loop(self.workload, load, voices)

    def between(self, held: float, broke: float) -> float | None:
        """A load between the two to try next. None if there is none."""
        load = self.possible((held * broke) ** 0.5)
        return load if held < load < broke else None

    def possible(self, load: float) -> float:
        """The nearest load that is possible: talkers are whole numbers."""
        return float(round(load)) if self.loop == "closed" else load


@dataclass(frozen=True)
class Step:
    """One load and its results."""

    load: float
    summary: dict[str, Any]
    # The parts of the service that did not hold.
    broken: list[str]


@dataclass
class Sweep:
    """All steps against one server, in the order in which they were made."""

    name: str
    options: SweepOptions
    steps: list[Step] = field(default_factory=list)

    @property
    def by_load(self) -> list[Step]:
        return sorted(self.steps, key=lambda step: step.load)

    @property
    def limit(self) -> Step | None:
        """The highest load up to which every step held."""
        held = list(itertools.takewhile(lambda step: not step.broken, self.by_load))
        return held[-1] if held else None

    def most(self) -> Step | None:
        """The step that made the most sound while accepted turns were heard in time and without a gap. Refusals do not
        count here."""
        service = replace(self.options.service, refused=1.0)
        kept = [step for step in self.steps if not service.broken(step.summary)]
        return max(kept, key=lambda step: float(step.summary["sustained_audio_per_s"]), default=None)

    def told(self) -> dict[str, Any]:
        """As plain values."""
        limit, options = self.limit, self.options
        return {
            "name": self.name,
            "measured": True,
            "service": asdict(options.service),
            "limit": None if limit is None else limit.load,
            "limit_audio_per_s": None if limit is None else limit.summary["sustained_audio_per_s"],
            "steps": [asdict(step) for step in self.by_load],
        }


def geometric(first: float, factor: float, loop: Loop) -> tuple[float, ...]:
    """Loads that rise by a factor. For talkers they are whole numbers, each only once."""
    loads = [first * factor**n for n in range(_GEOMETRIC_STEPS)]
    return tuple(sorted({float(round(load)) for load in loads})) if loop == "closed" else tuple(loads)
