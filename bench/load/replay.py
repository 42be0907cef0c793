"""Shows what the schedule does with a recorded load, event by event, in simulated time.

    python -m bench.load.replay trace.json
    python -m bench.load.replay trace.json --costs h100_released_bf16 --policy first_come
    python -m bench.load.replay --talkers 4 --seconds 20 --save trace.json
    rtserver trace u_f3kq7c2mzb4a --json > one.json; python -m bench.load.replay one.json

A trace is the output of `rtserver trace --json`. Several files are several utterances of one server, each at its time.
A load is {"replies": [...]}. A reply has its name, at_s (when its first text comes), tokens (speech tokens, 25 a
second), text ([seconds after the first text, speech tokens that the text so far allows], ...), service_class,
max_lead_s, tenant and cancel_s (seconds after its first text, or null). --save writes a load of talkers, whose replies
are drawn from --seed.

It prints one line for each event: the simulated second, the event, the streams, and figures. quantum: the talker is
asked for this many tokens. tokens: they have come. turn: an Euler step begins for these streams, then the vocoder for
those that it finishes. sound: its start and its length. cancel, over: the stream ended.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench.load.baselines.policies import FirstCome
from bench.simulator.cost_table import COSTS, CostTable, find_table
from bench.simulator.load import Habits, Recorded, Talkers
from bench.simulator.simulation import Simulation
from bench.simulator.traces import read_load
from rtserver.schedule.scheduler import Scheduler

POLICIES = {"ours": Scheduler, "first_come": FirstCome}


def replayed(table: CostTable, load: Recorded, policy: str = "ours") -> Simulation:
    """Runs a load and keeps all its events."""
    done = Simulation(table, POLICIES[policy](table.places, table.known_costs(table.places)), load, record=True)
    done.run()
    return done


def drawn(table: CostTable, talkers: int, seconds: float, seed: int) -> Recorded:
    """A load of talkers who wait for the end of each reply, saved as an open loop with the times that this gave."""
    habits = Habits(barge_in=0.2, pieces_per_s=20.0)
    load = Talkers(talkers, habits, table, seconds, seed)
    done = Simulation(table, Scheduler(table.places, table.known_costs(table.places)), load)
    done.run()
    return Recorded([outcome.reply for outcome in done.outcomes.values()])


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "traces", type=Path, nargs="*", metavar="trace", help="a recorded load, or the trace of an utterance"
    )
    known = ", ".join(sorted(path.stem for path in COSTS.glob("*.json")))
    parser.add_argument("--costs", default="cpu_2_cores_embedded", help=f"cost table: a file, or one of {known}")
    parser.add_argument("--policy", choices=POLICIES, default="ours")
    parser.add_argument("--talkers", type=int, default=3, metavar="N", help="without a trace: number of talkers")
    parser.add_argument("--seconds", type=float, default=10, help="without a trace: no reply begins after this time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", type=Path, metavar="FILE", help="write the load that was drawn")
    args = parser.parse_args()
    try:
        table = CostTable.load(find_table(args.costs))
        load = read_load(args.traces) if args.traces else drawn(table, args.talkers, args.seconds, args.seed)
    except (OSError, ValueError, TypeError, KeyError) as error:
        parser.error(str(error))
    if args.save is not None:
        load.save(args.save)
    print(f"# {table.told}; policy: {args.policy}")
    for entry in replayed(table, load, args.policy).log:
        print(entry)
    return 0


if __name__ == "__main__":
    sys.exit(main())
