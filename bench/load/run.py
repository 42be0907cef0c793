"""One load over the native wire. Callers send text as an LLM writes it, and listen in real time.

    python -m bench.load.run --calls-per-minute 20 --json load.json
    python -m bench.load.run --talkers 3 --seconds 60 --url http://127.0.0.1:8790
    python -m bench.load.run --talkers 4 --minutes 30 --barge-in 0.3 --json churn.json --memory-png churn.png
    python -m bench.load.run --calls-per-minute 200 --seconds 5 --warm-up-s 1 -- --engine fake

Open loop (--calls-per-minute): calls come by chance, whatever the server does. Closed loop (--talkers): each talker
waits for its reply, thinks, and goes on. Arguments after -- go to the server that is started (rtserver serve). The same
--seed gives the same load. Percentiles are p50 / p90 / p95 / p99. bench/README.md explains each figure.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import aiohttp
import uvloop

from bench.load.calls.measuring import Measuring, Voices, measure, voices_of, warm_up
from bench.load.calls.plan import Plan, Workload, closed_loop, open_loop
from bench.load.calls.report import lines, summarise
from bench.load.plots import draw_memory
from bench.load.server_process import measured_server
from bench.machine import describe_machine
from rtclient import ClientError


def plan_of(args: argparse.Namespace, voices: Voices) -> Plan:
    """The load for these arguments."""
    workload = workload_of(args)
    if args.talkers:
        return closed_loop(workload, args.talkers, voices)
    return open_loop(workload, args.calls_per_minute, voices)


async def main(args: argparse.Namespace) -> int:
    """Returns the exit status: 1 when a turn failed or sound came after its end."""
    async with measured_server(args.url, args.server) as server:
        voices = await voices_of(server, args.languages, args.api_key)
        await warm_up(server, voices, args.api_key)
        load = await measure(server, plan_of(args, voices), measuring_of(args))
    summary = summarise(load)
    growth = {part: round(slope, 1) for part, slope in load.memory.growth_mib_per_hour().items()}
    print("\r" + "\n    ".join(lines(summary)))
    if growth:
        slopes = ", ".join(f"{part} {slope:+.1f}" for part, slope in growth.items())
        print(f"    memory in the second half (measured), MiB an hour: {slopes}")
    if args.json:
        memory = {"times_s": load.memory.times_s, "mib": load.memory.mib, "growth_mib_per_hour": growth}
        result = {"machine": describe_machine(), "summary": summary, "voices": voices, "memory": memory}
        turns = {"turns": [heard.row() for heard in load.heard]}
        args.json.write_text(json.dumps(result | turns, ensure_ascii=False, indent=1))
    if args.memory_png:
        draw_memory(load.memory, describe_machine(), args.memory_png)
    return 1 if summary["failed"] or load.late_frames else 0


def workload_of(args: argparse.Namespace) -> Workload:
    """The workload from the options of `add_workload`."""
    return Workload(
        languages=tuple(args.languages),
        turns_per_call=(args.turns_per_call[0], args.turns_per_call[1]),
        think_s=(args.think_s[0], args.think_s[1]),
        tokens_per_s=args.tokens_per_s,
        jitter=args.jitter,
        barge_in=args.barge_in,
        warm_up_s=args.warm_up_s,
        seconds=args.seconds if args.minutes is None else args.minutes * 60,
        seed=args.seed,
    )


def measuring_of(args: argparse.Namespace) -> Measuring:
    """How to measure, from the options of `add_workload`."""
    return Measuring(api_key=args.api_key, drain_s=args.drain_s)


def add_workload(parser: argparse.ArgumentParser) -> None:
    """Adds the options of a load, for every script that makes one."""
    d = Workload()
    load = parser.add_argument_group("the load")
    load.add_argument(
        "--seconds",
        type=float,
        default=d.seconds,
        metavar="S",
        help="length of the window that is measured (default: %(default)g)",
    )
    load.add_argument("--minutes", type=float, metavar="M", help="the same in minutes")
    load.add_argument(
        "--warm-up-s", type=float, default=d.warm_up_s, help="warm-up before the window (default: %(default)g)"
    )
    load.add_argument(
        "--drain-s", type=float, default=30, help="time for open turns to finish at the end (default: %(default)g)"
    )
    load.add_argument("--languages", nargs="+", choices=["en", "zh"], default=list(d.languages))
    load.add_argument("--turns-per-call", type=int, nargs=2, default=d.turns_per_call, metavar=("LEAST", "MOST"))
    load.add_argument("--think-s", type=float, nargs=2, default=d.think_s, metavar=("LEAST", "MOST"))
    load.add_argument(
        "--tokens-per-s", type=float, default=d.tokens_per_s, help="how fast the LLM writes (default: %(default)g)"
    )
    load.add_argument(
        "--jitter",
        type=float,
        default=d.jitter,
        help="sigma of the logarithm of the gaps in the text (default: %(default)g)",
    )
    load.add_argument(
        "--barge-in", type=float, default=d.barge_in, metavar="P", help="share of turns that are interrupted"
    )
    load.add_argument("--seed", type=int, default=d.seed)
    server = parser.add_argument_group("the server")
    server.add_argument("--url", help="a running server (default: one is started)")
    server.add_argument("--api-key")
    server.add_argument("server", nargs="*", metavar="-- ARGUMENT", help="arguments for the server that is started")


def run(main: Coroutine[Any, Any, int]) -> int:
    """Runs on the lighter event loop, because the client must not take CPU time from the server."""
    try:
        return uvloop.run(main)
    except (ClientError, aiohttp.ClientError) as error:
        print(f"expected a server that speaks: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--calls-per-minute", type=float, metavar="N", help="open loop: Poisson calls")
    how.add_argument("--talkers", type=int, metavar="N", help="closed loop: conversations at the same time")
    add_workload(parser)
    parser.add_argument("--json", type=Path, help="write the result here")
    parser.add_argument("--memory-png", type=Path, help="draw the processes' memory here")
    sys.exit(run(main(parser.parse_args())))
