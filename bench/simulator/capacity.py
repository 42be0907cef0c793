"""How many streams can a device carry, and how much is each idea worth there? Simulated, with the server's own
schedule.

    python -m bench.simulator.capacity
    python -m bench.simulator.capacity --ideas ours first-come no-steps --json capacity.json --png capacity.png
    python -m bench.simulator.capacity --conversations 5000 --ttfa-s 0.3
    python -m bench.simulator.capacity --costs cpu_2_cores_embedded --check
    python -m bench.simulator.capacity --list

A cost table (simulator/costs/*.json) says how long work takes on a device. It says of each cost whether it was measured
or estimated on paper. Agents hold conversations: a reply of --reply-s is heard to its end; after --think-s comes the
first text of the next reply, which is written at --pieces-per-s. The simulation adds conversations until service
breaks. Service holds while 95 of 100 replies begin to sound within --ttfa-s after there is enough text for a first
sound (with --from-first-text: after their first text), and --continuity of the replies are heard without a silence of
more than 100 ms.

It prints for the server as it is (ours), and with single ideas switched off or on: conversations at the limit, how many
of them are heard or waited for at a time, and what breaks first above the limit: memory, compute (listeners run dry) or
TTFA. Then it prints what happens at twice our limit, with admission and without. --check runs the loads that were
measured on the table's machine and prints simulated over measured. If talker and flow share one device, the device does
one thing at a time.

Limits are found to about 5 percent. Differences of that size mean nothing. Many streams take minutes.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bench.machine import describe_machine
from bench.simulator.cost_table import COSTS, CostTable, described, find_table
from bench.simulator.ideas import OURS, Server, ideas_for
from bench.simulator.limit import Capacity, Service, find
from bench.simulator.load import Habits
from bench.simulator.making import Making
from bench.simulator.plots import draw

# -- what is printed --------------------------------------------------------------------------------------------------


def table_lines(capacities: Sequence[Capacity], kind: str, service: Service) -> list[str]:
    """One line for each server. Every line says what its figures are."""
    ours = next((c.limit for c in capacities if c.idea == OURS.name), 0)
    what = f"simulated ({kind} costs)"
    columns = ("conversations", "talking", "of ours", "p95 TTFA, ms", "continuity, %", "K/V, %")
    lines = [" " * (len(what) + 35) + "".join(f"{column:>15}" for column in columns) + "  breaks by"]
    for c in capacities:
        cells = [f"{c.limit}", *[""] * 5]
        if c.at_limit is not None:
            cells[1:] = (
                f"{c.at_limit.talking:.0f}",
                f"{c.limit / ours:.2f}" if ours else "",
                f"{1000 * service.ttfa_of(c.at_limit):.0f}",
                f"{100 * c.at_limit.continuity:.1f}",
                f"{100 * c.at_limit.memory_peak:.0f}",
            )
        lines.append(f"{what}   {c.told:32}" + "".join(f"{cell:>15}" for cell in cells) + f"  {c.breaks}")
    return lines


def check_lines(server: Server, path: Path) -> tuple[list[str], list[dict[str, Any]]]:
    """The loads that were measured on the table's machine: simulated, measured, and their ratio."""
    checks = described(path).get("checks")
    if checks is None:
        raise ValueError(f"{path.name} has no measured loads to check against")
    habits = Habits(reply_s=(1.9, 7.3), sentences=(1, 3), think_s=(0.2, 1.0), pieces_per_s=20.0)
    lines = [f"simulated / measured = ratio ({checks['source']})"]
    rows = []
    for measured in checks["rows"]:
        summary = replace(server, habits=habits).carry(measured["streams"])
        pairs = {
            "TTFA p50, s": (summary.text_ttfa_p50_s, measured["ttfa_p50_s"]),
            "p95, s": (summary.text_ttfa_p95_s, measured["ttfa_p95_s"]),
            "underrun turns, %": (
                100 * summary.underrun_replies / summary.replies,
                100 * measured["underrun_turns"] / measured["turns"],
            ),
            "sound, s/s": (summary.audio_per_s, measured["audio_per_s"]),
        }
        cells = [f"{name} {s:.2f} / {m:.2f}" + (f" = {s / m:.2f}" if m else "") for name, (s, m) in pairs.items()]
        lines.append(f"{measured['streams']} streams: " + "; ".join(cells))
        rows.append({"streams": measured["streams"], "simulated": summary.plain(), "measured": measured})
    return lines, rows


def overload_lines(server: Server, limit: int, service: Service) -> tuple[list[str], dict[str, Any]]:
    """Twice the limit, with admission and without."""
    lines, results = [], {}
    what = f"simulated ({server.table.kind} costs), {2 * limit} conversations"
    for told, admits_s in (("everybody is taken", None), ("with admission", service.ttfa_s)):
        summary = replace(server, admits_s=admits_s).carry(2 * limit)
        results[told] = summary.plain()
        lines.append(
            f"{what}, {told}: {100 * summary.refused:.0f} % of replies refused, of the others p95 TTFA "
            f"{1000 * service.ttfa_of(summary):.0f} ms, continuity {100 * summary.continuity:.1f} %"
        )
    return lines, results


# -- the command ------------------------------------------------------------------------------------------------------


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = ", ".join(sorted(path.stem for path in COSTS.glob("*.json")))
    parser.add_argument("--costs", default="h100_released_bf16", help=f"a cost table: a file, or one of {known}")
    parser.add_argument("--ideas", nargs="+", metavar="NAME", help="only these ideas (default: all; --list shows them)")
    parser.add_argument("--list", action="store_true", help="print the ideas and exit")
    parser.add_argument("--check", action="store_true", help="compare with measured loads and exit")
    parser.add_argument("--ttfa-s", type=float, help="limit for the p95 of the TTFA (default: 0.2; 1.5 on a CPU)")
    parser.add_argument("--from-first-text", action="store_true", help="measure TTFA from the first text on")
    parser.add_argument("--continuity", type=float, default=0.99)
    parser.add_argument("--reply-s", type=float, nargs=2, default=(1.0, 6.0), metavar=("LEAST", "MOST"))
    parser.add_argument("--think-s", type=float, nargs=2, default=(1.0, 4.0), metavar=("LEAST", "MOST"))
    parser.add_argument(
        "--pieces-per-s", type=float, default=50.0, help="speed of the text: tokens of an LLM, or words (default: 50)"
    )
    parser.add_argument("--conversations", type=int, metavar="N", help="print how many devices N conversations need")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes that simulate at the same time")
    parser.add_argument("--json", type=Path, help="write the results here")
    parser.add_argument("--png", type=Path, help="draw them here")
    args = parser.parse_args()
    try:
        args.path = find_table(args.costs)
        args.table = CostTable.load(args.path)
    except (OSError, ValueError, KeyError) as error:
        parser.error(str(error))
    ideas = ideas_for(args.table)
    if unknown := [name for name in args.ideas or () if name not in ideas]:
        parser.error(f"unknown ideas {unknown}; --list shows them")
    args.ideas = args.ideas or list(ideas)
    args.ttfa_s = args.ttfa_s or (1.5 if args.table.device == "cpu" else 0.2)
    return args


def main() -> int:
    """Returns the exit status."""
    args = parsed()
    table, service = args.table, Service(args.ttfa_s, args.continuity, args.from_first_text)
    if args.list:
        print("\n".join(f"{name:12}{idea.told}" for name, idea in ideas_for(table).items()))
        return 0
    habits = Habits(reply_s=tuple(args.reply_s), think_s=tuple(args.think_s), pieces_per_s=args.pieces_per_s)
    server = Server(table, habits, Making(reserve_s=args.reply_s[1]))
    print(f"# {table.told}")
    if args.check:
        lines, rows = check_lines(server, args.path)
        print("\n".join(lines))
        _write(args, {"checks": rows})
        return 0
    capacities = _found(args, server, service)
    print("\n".join(table_lines(capacities, table.kind, service)))
    ours = next((c for c in capacities if c.idea == OURS.name), None)
    results: dict[str, Any] = {"service": asdict(service), "capacities": [_plain(c) for c in capacities]}
    if ours is not None and ours.limit:
        lines, results["overload"] = overload_lines(server, ours.limit, service)
        print("\n".join(lines))
        if args.conversations:
            results["devices"] = math.ceil(args.conversations / ours.limit)
            print(
                f"simulated ({table.kind} costs): {args.conversations} conversations need {results['devices']} devices"
            )
    for published in described(args.path).get("published", []):
        print(f"published, for comparison: {published['what']}: {published['value']} ({published['source']})")
    _write(args, results)
    if args.png:
        draw(capacities, table.told, service.ttfa_s, service.continuity, args.png)
    return 0


def _found(args: argparse.Namespace, server: Server, service: Service) -> list[Capacity]:
    """The limits of all servers that were asked for. Ours comes first, because the search for the others begins at a
    quarter of its limit."""
    print(f"simulating {len(args.ideas)} servers", file=sys.stderr, flush=True)
    start = 1 if server.table.device == "cpu" else 32
    ours = find(OURS.name, server, service, start)
    found = [ours] if OURS.name in args.ideas else []
    others = [name for name in args.ideas if name != OURS.name]
    with ProcessPoolExecutor(max_workers=args.jobs) as pool:
        start, also = max(1, ours.limit // 4), [max(1, ours.limit * part // 3) for part in (1, 2, 3)]
        futures = [pool.submit(find, name, server, service, start, also) for name in others]
        for name, future in zip(others, futures, strict=True):
            found.append(future.result())
            print(f"{name}: {found[-1].limit}", file=sys.stderr, flush=True)
    return found


def _plain(capacity: Capacity) -> dict[str, Any]:
    at_limit = None if capacity.at_limit is None else capacity.at_limit.plain()
    return {**asdict(capacity), "at_limit": at_limit, "tried": [s.plain() for s in capacity.tried]}


def _write(args: argparse.Namespace, results: dict[str, Any]) -> None:
    if args.json:
        load = {"reply_s": args.reply_s, "think_s": args.think_s, "pieces_per_s": args.pieces_per_s}
        head = {"figures": "simulated", "costs": described(args.path), "load": load, "machine": describe_machine()}
        args.json.write_text(json.dumps({**head, **results}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
