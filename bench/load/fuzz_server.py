"""Sends a running server messages, HTTP requests and files, most of them wrong, beside listeners, and checks all.

    python -m bench.load.fuzz_server --messages 1000000 --requests 100000 --files 2000 --json fuzz_server.json

A server is started with the engine of tones and with limits that this client cannot reach (--engine local: the embedded
voice). Messages go to every path and in every form of the sockets; requests have hostile headers, charsets, encodings
and forms; files are recordings of five kinds with changed bytes. Meanwhile three listeners play tones. It prints how
all was answered, and problems: an `internal` error, a fault in the log, no answer, a dead server, what is left behind
afterwards, gaps of the listeners. If there is a problem, the exit status is 1.

--json FILE is written every few seconds. A run with the same FILE and seed goes on where it stopped.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import uvloop

from bench.load.attacks.attacked import SERVER_NICE, Attacked, attacked_server
from bench.load.attacks.listeners import listeners_beside
from bench.load.fuzzing.file_batches import FileBatches
from bench.load.fuzzing.found import Found
from bench.load.fuzzing.request_batches import RequestBatches
from bench.load.fuzzing.socket_batches import FORMS, SocketBatches
from bench.machine import describe_machine

# The listeners' key and the fuzzers'. The keys of others must not be theirs by chance.
LISTENER_KEY, FUZZER_KEY = "listener-9f27", "fuzzer-31c8"
_SAVE_S = 5.0
_SETTLE_S = 30.0
# A process that sleeps so much too long was stopped, with all others or alone.
_STOPPED_S = 5.0


class Batches(Protocol):
    """One kind of what is sent. A batch depends only on the seed and its number."""

    items_per_batch: int

    async def run(self, batch: int, items: int) -> tuple[Counter[str], list[str]]:
        """Sends a batch of so many items. Returns the answers by kind, and the problems."""


def settings(engine: str) -> dict[str, Any]:
    """Limits that the fuzzer does not reach by being fast; the limits of one message stay as they are."""
    return {
        "engine": engine,
        "api_keys": [f"{LISTENER_KEY} speak,metrics", FUZZER_KEY],
        "max_streams": 10_000,
        "max_batch": 10_000,
        "max_contexts": 100_000,
        "messages_per_s": 1_000_000,
        "caller_messages_per_s": 1_000_000,
        "languages": ["en"],
    } | ({"admission": False} if engine == "fake" else {"max_streams": 32, "max_batch": 32})


async def fuzz(
    batches: Batches, items: int, found: Found, side_by_side: int, progress: Callable[[Found], None]
) -> None:
    """Runs the batches that are not finished, some at a time. One during which this process was stopped is run again:
    what is late then says nothing of the server."""
    begun_s, before_s = time.monotonic(), found.wall_s
    todo = iter(n for n in range(-(-items // batches.items_per_batch)) if not found.is_finished(n))

    async def client() -> None:
        for batch in todo:
            size = min(batches.items_per_batch, items - batch * batches.items_per_batch)
            was_stopped = True
            while was_stopped:
                stops = watch.stops
                answers, problems = await batches.run(batch, size)
                was_stopped = watch.stops > stops
            found.add(batch, size, answers, problems)
            found.wall_s = before_s + time.monotonic() - begun_s
            progress(found)

    watch = StopWatch()
    watching = asyncio.create_task(watch.run())
    async with asyncio.TaskGroup() as clients:
        for _ in range(side_by_side):
            clients.create_task(client())
    watching.cancel()


class StopWatch:
    """Counts how often this process was stopped."""

    def __init__(self) -> None:
        self.stops = 0

    async def run(self) -> None:
        while True:
            from_s = time.monotonic()
            await asyncio.sleep(1)
            self.stops += time.monotonic() - from_s > 1 + _STOPPED_S


async def attack(
    server: Attacked, batches: Batches, items: int, found: Found, args: argparse.Namespace, save: Callable[[], None]
) -> dict[str, Any]:
    """One part beside the listeners. Returns what the server and the listeners showed."""
    told_s, memory = 0.0, list[tuple[int, float]]()

    def progress(found: Found) -> None:
        nonlocal told_s
        if (now_s := time.monotonic()) - told_s >= _SAVE_S:
            told_s = now_s
            memory.append((found.items, server.rss_mib()))
            rate = found.items / max(found.wall_s, 1e-9)
            print(f"{found.items:,} of {items:,}, {rate:,.0f}/s, {found.problem_count} problems", file=sys.stderr)
            save()

    async with listeners_beside(server.url, args.listeners, LISTENER_KEY, args.server_nice) as listeners:
        await asyncio.sleep(2)
        before = {"rss_mib": server.rss_mib(), "descriptors": server.descriptors()}
        idle = await server.held(LISTENER_KEY)
        server.peak_rss_mib = 0.0
        watching = asyncio.create_task(server.watch())
        listeners.begin()
        from_s = time.monotonic()
        await fuzz(batches, items, found, args.side_by_side, progress)
        to_s = time.monotonic()
        heard = await listeners.end()
        left = await _settled(server, idle)
        await asyncio.sleep(1)
        watching.cancel()
        after = {"rss_mib": server.rss_mib(), "descriptors": server.descriptors()}
    lag = server.lag(from_s, to_s)
    if left:
        found.problems.append(f"left behind: {left}")
    if after["descriptors"] > before["descriptors"] + 2:  # a decoder that stays
        found.problems.append(f"descriptors: {before['descriptors']} before, {after['descriptors']} after")
    return {
        "loop_lag_ms": vars(lag),
        "before": before,
        "after": after,
        "peak_rss_mib": server.peak_rss_mib,
        "rss_mib_after_items": memory,
        "left_behind": left,
        "heard": heard,
    }


async def _settled(server: Attacked, idle: dict[str, float]) -> dict[str, float]:
    """What is held beyond what was held before, when nothing is, or after a while."""
    end_s = time.monotonic() + _SETTLE_S
    while True:
        held = await server.held(LISTENER_KEY)
        left = {name: value - idle.get(name, 0) for name, value in held.items() if value > idle.get(name, 0)}
        if not left or time.monotonic() > end_s:
            return left
        await asyncio.sleep(0.5)


async def main(args: argparse.Namespace) -> int:
    """Returns the exit status."""
    results = _stored(args)
    log = args.json.with_suffix(".log") if args.json else None
    problems = 0
    async with attacked_server(settings(args.engine), log=log, nice=args.server_nice) as server:
        made: dict[str, tuple[Batches, int]] = {
            "messages": (SocketBatches(server.port, args.seed, FUZZER_KEY, tuple(args.forms)), args.messages),
            "requests": (RequestBatches(server.port, args.seed, FUZZER_KEY), args.requests),
            "files": (FileBatches(server.port, args.seed, FUZZER_KEY), args.files),
        }
        for name, (batches, items) in made.items():
            if not items:
                continue
            part = results["parts"].get(name)
            found = Found() if part is None else Found.of(part)
            if found.items >= items:
                continue

            def save(name: str = name, found: Found = found, shown: dict[str, Any] | None = None) -> None:
                results["parts"][name] = found.plain() | {"per_s": _rate(found)} | (shown or {})
                if args.json:
                    args.json.write_text(json.dumps(results, indent=1), encoding="utf-8")

            faults = len(server.faults)
            shown = await attack(server, batches, items, found, args, save)
            found.problems += [f"log: {line}" for line in server.faults[faults:]]
            if not server.is_alive:
                found.problems.append("the server is dead")
            save(shown=shown)
            problems += len(found.problems)
            print_part(name, found, shown)
            with contextlib.suppress(Exception):
                print("held at the end:", await server.held(LISTENER_KEY) or "nothing")
    return 1 if problems else 0


def _rate(found: Found) -> float:
    return round(found.items / max(found.wall_s, 1e-9), 1)


def _stored(args: argparse.Namespace) -> dict[str, Any]:
    """The results of an earlier run with the same file and seed, to go on with."""
    fresh = {"machine": describe_machine(), "engine": args.engine, "seed": args.seed, "parts": {}}
    if args.json and args.json.exists():
        stored: dict[str, Any] = json.loads(args.json.read_text("utf-8"))
        if all(stored.get(name) == fresh[name] for name in ("machine", "engine", "seed")):
            return stored
    return fresh


def print_part(name: str, found: Found, shown: dict[str, Any]) -> None:
    """The report of one part."""
    print(f"\n{name}: {found.items:,} in {found.wall_s:.0f} s, {_rate(found):,.0f} a second")
    print("  " + ", ".join(f"{answer} {count:,}" for answer, count in found.answers.most_common()))
    for what, value in shown.items():
        print(f"  {what}: {value}")
    print(f"  problems: {found.problem_count}")
    for problem in found.problems:
        print(f"    {problem}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=0, help="messages on sockets (default: none)")
    parser.add_argument(
        "--forms",
        nargs="+",
        choices=list(FORMS),
        default=list(FORMS),
        metavar="FORM",
        help="some of the sockets' forms",
    )
    parser.add_argument("--requests", type=int, default=0, help="HTTP requests (default: none)")
    parser.add_argument("--files", type=int, default=0, help="uploads of changed files (default: none)")
    parser.add_argument("--engine", choices=["fake", "local"], default="fake", help="tones, or the embedded voice")
    parser.add_argument("--listeners", type=int, default=3)
    parser.add_argument("--side-by-side", type=int, default=8, metavar="N", help="batches at once")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--server-nice", type=int, metavar="N", help=SERVER_NICE)
    parser.add_argument("--json", type=Path, help="write the results here, and go on with what is there")
    sys.exit(uvloop.run(main(parser.parse_args())))
