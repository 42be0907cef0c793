"""The ideas whose value is measured: each switches one part of the server off, or another one on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from bench.load.baselines.policies import ArrivalOrder, FirstCome, WholeChunks
from bench.simulator.admission import AdmissionGate
from bench.simulator.cost_table import CostTable
from bench.simulator.load import Habits, Talkers
from bench.simulator.making import Making
from bench.simulator.policies import ORIGINAL, CheapRiders, OneByOne
from bench.simulator.result import Summary
from bench.simulator.simulation import Gate, Simulation
from rtserver.schedule.scheduler import Scheduler

_SETTLES_S = 8.0  # not counted, because talkers begin spread over a few seconds
_REPLIES = 400  # replies that a percentile needs
_LEAST_S, _MOST_S = 14.0, 600.0
_WITHOUT_GRAPHS_S = 0.0015
_WINDOW_S = 3.0


@dataclass(frozen=True)
class Server:
    """A machine and how its server works."""

    table: CostTable
    habits: Habits
    making: Making
    policy: type[Scheduler] = Scheduler
    # A reply is refused if its first sound is predicted to come later than this. None: no reply is refused.
    admits_s: float | None = None

    def carry(self, talkers: int, seed: int = 0) -> Summary:
        """What `talkers` talkers get. Each waits for the end of a reply before the next one."""
        least_s, most_s = self.habits.reply_s
        cycle_s = (least_s + most_s + sum(self.habits.think_s)) / 2
        end_s = _SETTLES_S + min(max(_REPLIES * cycle_s / talkers, _LEAST_S), _MOST_S)
        scheduler = self.policy(self.table.places, self.table.known_costs(self.table.places))
        gate: Gate | None = None
        if self.admits_s is not None:
            gate = AdmissionGate(self.table, scheduler, self.admits_s)
        load = Talkers(talkers, self.habits, self.table, end_s, seed)
        return Simulation(self.table, scheduler, load, self.making, gate=gate).measure(talkers, _SETTLES_S, end_s)


@dataclass(frozen=True)
class Idea:
    """A change of the server."""

    # Its name on the command line.
    name: str
    # Its name in the results.
    told: str
    # Makes the changed server from the server as it is.
    change: Callable[[Server], Server]
    # Whether its curve is drawn.
    curve: bool = False
    # The kind of device that it makes sense on. Empty: all.
    only: str = ""


def _making(**change: object) -> Callable[[Server], Server]:
    return lambda server: replace(server, making=replace(server.making, **change))  # type: ignore[arg-type]


def _table(**change: object) -> Callable[[Server], Server]:
    return lambda server: replace(server, table=replace(server.table, **change))  # type: ignore[arg-type]


def _unpaced(server: Server) -> Server:
    return replace(server, policy=ArrivalOrder, habits=replace(server.habits, max_lead_s=None))


def _original(server: Server) -> Server:
    habits = replace(server.habits, max_lead_s=None)
    return replace(server, policy=OneByOne, habits=habits, making=replace(ORIGINAL, reserve_s=server.making.reserve_s))


OURS = Idea("ours", "ours", lambda server: server, curve=True)
IDEAS = (
    OURS,
    Idea("original", "the original's policy", _original, curve=True),
    Idea("first-come", "first come, whole chunks", lambda s: replace(s, policy=FirstCome), curve=True),
    Idea("no-steps", "without Euler-step batching", lambda s: replace(s, policy=WholeChunks), curve=True),
    Idea("no-pacing", "without slack pacing", _unpaced, curve=True),
    Idea("no-prefix", "without shared voice prefix", _making(shared_prefix=False), curve=True),
    Idea("no-cache", "without incremental flow", _making(shared_prefix=False, incremental=False), curve=True),
    Idea("no-graphs", "without CUDA graphs", _table(step_s=_WITHOUT_GRAPHS_S), only="cuda"),
    Idea("no-hold", "without holding first sounds", _making(holds=False)),
    Idea("hop-5", "first hop of 5 tokens", _table(first_hop_tokens=5)),
    Idea("hop-12", "first hop of 12 tokens", _table(first_hop_tokens=12)),
    Idea("hop-25", "first hop of 25 tokens", _table(first_hop_tokens=25)),
    Idea("window", f"with a window of {_WINDOW_S:g} s", _making(window_s=_WINDOW_S)),
    Idea("fp8", "with fp8", lambda s: replace(s, table=s.table.in_fp8()), curve=True, only="cuda"),
    Idea("riders", "cheap riders always ride along", lambda s: replace(s, policy=CheapRiders), curve=True),
    Idea("due-150", "first sounds due in 150 ms", _making(first_due_s=0.15)),
    Idea("host", "talker uses the GPU for 1 of 3 ms", _table(talker_step_s=0.001, talker_host_s=0.002), only="cuda"),
    Idea("overlap", "talker beside the flow", _table(shared_device=False), curve=True, only="cuda"),
)


def ideas_for(table: CostTable) -> dict[str, Idea]:
    """The ideas that make sense on a table's device and change something there, by name."""
    first_hop = f"hop-{table.first_hop_tokens}"
    return {idea.name: idea for idea in IDEAS if idea.only in ("", table.device) and idea.name != first_hop}
