"""How much is the scheduler worth? Three policies under the same loads in one run, and the ceiling of this machine.

    OMP_NUM_THREADS=1 python -m bench.load.compare --json compare.json --png compare.png
    OMP_NUM_THREADS=1 python -m bench.load.compare --policies ours first_come --loads 4 8 --seconds 30

ours        deadlines, Euler steps, admission
first_come  first come, first served, in batches of whole chunks; the same caches and lead; no utterance is refused
original    the original runtime's: one utterance at a time, every hop computes everything again (--original-loads)
offline     all utterances at once, without listeners: the most sound that these processes make

All have the same weights, texts, voices and arrivals. Each policy runs in its own server, one after the other. The same
--seed gives the same load. `most` is the most sound a second that was made while accepted turns were heard within
--ttfa-target-s and without a gap (--continuity). It also says how many turns were refused.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from bench.load import offline
from bench.load.calls.steps import Service, Sweep, SweepOptions
from bench.load.plots import draw_sweeps
from bench.load.run import add_workload, measuring_of, run, workload_of
from bench.load.server_process import SERVE, baseline, measured_server
from bench.load.sweep import sweep
from bench.machine import describe_machine

POLICIES = ("ours", "first_come", "original")


async def main(args: argparse.Namespace) -> int:
    """Returns the exit status."""
    service = Service(args.ttfa_target_s, args.continuity)
    ceiling = await offline.server(args.offline)
    sweeps: list[Sweep] = []
    for policy in args.policies:
        options = SweepOptions(
            loads=tuple(args.original_loads if policy == "original" else args.loads),
            workload=workload_of(args),
            service=service,
            refine=args.refine if policy == "ours" else 0,
            also=(0.8, 5.0) if policy == "ours" else (),
            measuring=measuring_of(args),
            to_the_end=True,
        )
        program = SERVE if policy == "ours" else baseline(policy)
        async with measured_server(None, args.server, program) as server:
            sweeps.append(await sweep(server, options, policy))
    machine, findings = describe_machine(), compared(sweeps, ceiling)
    print(json.dumps(findings, indent=1))
    if args.json:
        told = {"machine": machine, "measured": True, "offline": ceiling, "findings": findings}
        args.json.write_text(json.dumps(told | {"sweeps": [s.told() for s in sweeps]}, ensure_ascii=False, indent=1))
    if args.png:
        draw_sweeps(sweeps, machine, args.png)
    return 0


def compared(sweeps: list[Sweep], ceiling: dict[str, Any]) -> dict[str, Any]:
    """The main figures by policy, and their ratios to ours."""
    findings: dict[str, Any] = {"offline_audio_per_s": ceiling["audio_per_s"]}
    by_name = {s.name: s for s in sweeps}
    for name, one in by_name.items():
        most = one.most()
        findings[name] = None
        if most is not None:
            findings[name] = {
                "most_audio_per_s": most.summary["sustained_audio_per_s"],
                "at_load": most.load,
                "refused_share": most.summary["refused_share"],
                "continuity": most.summary["continuity"],
                "ttfa_p95_ms": most.summary["ttfa_ms"]["p95"],
                "of_offline": most.summary["sustained_audio_per_s"] / ceiling["audio_per_s"],
                "limit": None if one.limit is None else one.limit.load,
            }
    ours = by_name.get("ours")
    for name, other in by_name.items():
        if ours is None or other is ours:
            continue
        most, its_most = findings["ours"], findings[name]
        same = {step.load: step.summary for step in other.steps}
        findings[f"ours / {name}"] = {
            "most_audio_per_s": most and its_most and most["most_audio_per_s"] / its_most["most_audio_per_s"],
            "ttfa_p95_by_load": {
                str(step.load): round(step.summary["ttfa_ms"]["p95"] / same[step.load]["ttfa_ms"]["p95"], 3)
                for step in ours.by_load
                if step.load in same and step.summary["ttfa_ms"]["p95"] and same[step.load]["ttfa_ms"]["p95"]
            },
        }
    return findings


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--policies", nargs="+", choices=POLICIES, default=list(POLICIES), help="(default: all)")
    made.add_argument("--loads", type=float, nargs="+", default=[2, 4, 6, 9, 40], metavar="N", help="calls a minute")
    made.add_argument("--original-loads", type=float, nargs="+", default=[1, 2, 4], metavar="N", help="the original's")
    made.add_argument(
        "--refine", type=int, default=1, metavar="N", help="more loads to try around our limit (default: 1)"
    )
    made.add_argument("--ttfa-target-s", type=float, default=3.0, help="(default: %(default)g)")
    made.add_argument("--continuity", type=float, default=0.99, help="(default: %(default)g)")
    made.add_argument(
        "--utterances", type=int, default=32, metavar="N", help="utterances of the offline run (default: 32)"
    )
    made.add_argument("--json", type=Path, help="write the result here")
    made.add_argument("--png", type=Path, help="draw the curves here")
    add_workload(made)
    return made


if __name__ == "__main__":
    arguments = parser().parse_args()
    arguments.offline = argparse.Namespace(
        model="nano", utterances=arguments.utterances, server=arguments.server, seed=arguments.seed
    )
    sys.exit(run(main(arguments)))
