"""How much load does a server carry? Raises the load in steps until service breaks, and draws the results.

    python -m bench.load.sweep --json sweep.json --png sweep.png
    python -m bench.load.sweep --first 10 --factor 1.3 --refine 3 --also 0.8 5
    python -m bench.load.sweep --loop closed --steps 1 2 4 6 8 --url http://127.0.0.1:8790
    python -m bench.load.sweep --json new.json --compare old.json
    python -m bench.load.sweep --steps 60 600 --seconds 5 --warm-up-s 1 --refine 0 -- --engine fake

A step is one load (bench/load/run.py) after a warm-up. The next step begins when the server is idle again. Service
holds while 95 of 100 turns begin to sound within --ttfa-target-s after their first text, --continuity of the turns are
heard without a gap, and at most --refused are refused. --refine more loads are tried between the last one that held and
the first that did not. --also adds loads as multiples of the limit, such as 0.8 (a sensible operating point) and 5
(overload). Arguments after -- go to the server that is started.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.load.calls.measuring import measure, settled, voices_of, warm_up
from bench.load.calls.report import lines, summarise
from bench.load.calls.steps import Service, Step, Sweep, SweepOptions, geometric
from bench.load.plots import draw_sweeps
from bench.load.run import add_workload, measuring_of, run, workload_of
from bench.load.server_process import ServerProcess, measured_server
from bench.machine import describe_machine


async def sweep(server: ServerProcess, options: SweepOptions, name: str = "rtserver") -> Sweep:
    """Raises the load until service breaks, and prints each step. With the same options, other servers get the same
    loads, as long as they have the same steps."""
    result = Sweep(name, options)
    voices = await voices_of(server, options.workload.languages, options.measuring.api_key)
    await warm_up(server, voices, options.measuring.api_key)

    async def step(wanted: float) -> Step:
        load = options.possible(wanted)
        await settled(server)
        summary = summarise(await measure(server, options.plan(load, voices), options.measuring))
        done = Step(load, summary, options.service.broken(summary))
        result.steps.append(done)
        verdict = "holds" if not done.broken else "breaks: " + ", ".join(done.broken)
        print(f"\r{name}: " + "\n    ".join([*lines(summary), verdict]), flush=True)
        return done

    for load in options.loads:
        if (await step(load)).broken and not options.to_the_end:
            break
    for _ in range(options.refine):
        limit = result.limit
        broke = next((s.load for s in result.by_load if s.broken), None)
        if limit is None or broke is None or (load_between := options.between(limit.load, broke)) is None:
            break
        await step(load_between)
    limit = result.limit
    for multiple in options.also if limit is not None else ():
        assert limit is not None
        await step(limit.load * multiple)
    return result


def verdict(sweep: Sweep) -> str:
    """The limit, as a line to read."""
    service, unit = sweep.options.service, "calls a minute" if sweep.options.loop == "open" else "talkers"
    asked = (
        f"TTFA p95 within {service.ttfa_target_s:g} s, continuity {100 * service.continuity:g} %, "
        f"at most {100 * service.refused:g} % refused"
    )
    if sweep.limit is None:
        return f"{sweep.name} (measured): no load tried holds {asked}"
    summary = sweep.limit.summary
    return (
        f"{sweep.name} (measured): {sweep.limit.load:g} {unit} hold ({asked}): offered "
        f"{summary['offered_audio_per_s']:.2f}, sustained {summary['sustained_audio_per_s']:.2f} audio seconds a "
        f"second, TTFA p95 {summary['ttfa_ms']['p95']:.0f} ms, continuity {100 * summary['continuity']:.1f} %"
    )


def compared(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[str]:
    """The changes since an earlier run, as ratios new / old, for each step with the same load."""
    text = [f"{new['name']} against {old['name']} before (measured), new / old:"]
    if new["limit"] and old["limit"]:
        text.append(
            f"limit {new['limit'] / old['limit']:.2f}, "
            f"its sustained audio {_ratio(new['limit_audio_per_s'], old['limit_audio_per_s'])}"
        )
    before = {step["summary"]["plan"]: step["summary"] for step in old["steps"]}
    for step in new["steps"]:
        now, then = step["summary"], before.get(step["summary"]["plan"])
        if then is not None:
            text.append(
                f"{step['load']:g}: TTFA p50 {_ratio(now['ttfa_ms']['p50'], then['ttfa_ms']['p50'])}, p95 "
                f"{_ratio(now['ttfa_ms']['p95'], then['ttfa_ms']['p95'])}, sustained "
                f"{_ratio(now['sustained_audio_per_s'], then['sustained_audio_per_s'])}, continuity "
                f"{_ratio(now['continuity'], then['continuity'])}"
            )
    if len(text) == 1:
        text.append("nothing to compare: no load was the same")
    return text


def _ratio(new: float | None, old: float | None) -> str:
    return "-" if not new or not old else f"{new / old:.2f}"


async def main(args: argparse.Namespace) -> int:
    """Returns the exit status."""
    options = SweepOptions(
        loads=tuple(sorted(args.steps)) if args.steps else geometric(args.first, args.factor, args.loop),
        workload=workload_of(args),
        loop=args.loop,
        service=Service(args.ttfa_target_s, args.continuity, args.refused),
        refine=args.refine,
        also=tuple(args.also),
        measuring=measuring_of(args),
    )
    async with measured_server(args.url, args.server) as server:
        result = await sweep(server, options, args.name)
    machine, told = describe_machine(), result.told()
    print(verdict(result))
    if args.json:
        args.json.write_text(json.dumps({"machine": machine, "sweeps": [told]}, ensure_ascii=False, indent=1))
    if args.png:
        draw_sweeps([result], machine, args.png)
    if args.compare:
        earlier = json.loads(args.compare.read_text())["sweeps"]
        print("\n    ".join(compared(told, next((s for s in earlier if s["name"] == args.name), earlier[0]))))
    return 0


def add_steps(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the steps."""
    steps = parser.add_argument_group("the steps")
    steps.add_argument("--loop", choices=["open", "closed"], default="open", help="calls a minute, or talkers")
    steps.add_argument(
        "--steps", type=float, nargs="+", metavar="N", help="these loads (default: from --first by --factor)"
    )
    steps.add_argument("--first", type=float, default=2, metavar="N", help="first load (default: %(default)g)")
    steps.add_argument(
        "--factor", type=float, default=1.5, help="ratio of a load to the one before (default: %(default)g)"
    )
    steps.add_argument(
        "--refine", type=int, default=2, metavar="N", help="more loads to try around the limit (default: %(default)s)"
    )
    steps.add_argument(
        "--also", type=float, nargs="+", default=(), metavar="X", help="more loads, as multiples of the limit"
    )
    service = Service()
    steps.add_argument("--ttfa-target-s", type=float, default=service.ttfa_target_s, help="(default: %(default)g)")
    steps.add_argument("--continuity", type=float, default=service.continuity, help="(default: %(default)g)")
    steps.add_argument("--refused", type=float, default=service.refused, help="(default: %(default)g)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_steps(parser)
    add_workload(parser)
    parser.add_argument("--name", default="rtserver", help="name of the server in results and pictures")
    parser.add_argument("--json", type=Path, help="write the result here")
    parser.add_argument("--png", type=Path, help="draw the curves here")
    parser.add_argument("--compare", type=Path, metavar="OLD.json", help="print ratios to an earlier result")
    sys.exit(run(main(parser.parse_args())))
