"""What does each flood do to the front and to the others who listen?

    git worktree add /tmp/before ddd8bba
    python -m bench.load.floods --before /tmp/before --seconds 15 --json floods.json

For each flood of bench/load/attacks/floods.py a server with the engine of tones is started: from the sources of
`--before`, then from these. Three listeners play tones with half a second ahead. The flood has another key than they.
It prints a table in Markdown: memory of the front before and at its peak, how late its event loop was, the listeners'
gaps, and what a newcomer with the listeners' key got in the middle of the flood: its first sound, or a refusal.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import uvloop
import websockets

from bench.load.attacks.attacked import ROOT, SERVER_NICE, Attacked, attacked_server
from bench.load.attacks.floods import FLOODS, Flood, Target
from bench.load.attacks.listeners import ListenersProcess, listeners_beside
from bench.machine import describe_machine

LISTENER_KEY, FLOOD_KEY = "listener-9f27", "flood-31c8"
SETTINGS = {"engine": "fake", "api_keys": [LISTENER_KEY, FLOOD_KEY], "languages": ["en"], "drain_s": 2.0}
_NEWCOMER_S = 30.0
_END_S = 5.0


async def newcomer(url: str) -> str:
    """What a client gets that comes in the middle of the flood."""
    path = url.replace("http", "ws", 1) + "/v1/speech/realtime"
    begun_s = time.monotonic()
    try:
        async with asyncio.timeout(_NEWCOMER_S):
            async with websockets.connect(
                path,
                additional_headers={"Authorization": f"Bearer {LISTENER_KEY}"},
                compression=None,
                ping_interval=None,
            ) as ws:
                await ws.send(json.dumps({"type": "start", "text": "Hello there. ", "end": True}))
                async for told in ws:
                    if isinstance(told, bytes):
                        return f"{1000 * (time.monotonic() - begun_s):.0f} ms"
                    if (answer := json.loads(told))["type"] == "error":
                        return str(answer["code"])
                return "closed"
    except TimeoutError:
        return f"nothing within {_NEWCOMER_S:.0f} s"
    except (OSError, websockets.WebSocketException) as error:
        return type(error).__name__


async def flooded(root: Path, flood: Flood, args: argparse.Namespace) -> dict[str, Any]:
    """One flood against a new server with the sources in `root`."""
    async with (
        attacked_server(SETTINGS, root=root, nice=args.server_nice) as server,
        listeners_beside(server.url, args.listeners, LISTENER_KEY, args.server_nice) as listeners,
    ):
        await asyncio.sleep(2)
        return await _measured(server, listeners, flood, args.seconds)


async def _measured(server: Attacked, listeners: ListenersProcess, flood: Flood, seconds: float) -> dict[str, Any]:
    before_mib = server.peak_rss_mib = server.rss_mib()
    watching = asyncio.create_task(server.watch())
    listeners.begin()
    from_s = time.monotonic()
    target = Target(server.port, FLOOD_KEY)
    flooding = asyncio.create_task(_flooding(flood, target))
    await asyncio.sleep(seconds / 2)
    coming = asyncio.create_task(newcomer(server.url))
    await asyncio.sleep(seconds / 2)
    flooding.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await flooding
    target.abort()
    came = await coming
    to_s = time.monotonic()
    heard = await listeners.end()
    await asyncio.sleep(_END_S)
    watching.cancel()
    each = heard["listeners"]
    assert isinstance(each, list)
    return {
        "rss_before_mib": before_mib,
        "rss_peak_mib": server.peak_rss_mib,
        "rss_after_mib": server.rss_mib() if server.is_alive else None,
        "loop_lag_ms": vars(server.lag(from_s, to_s)),
        "gaps": sum(listener["gaps"] for listener in each),
        "gap_s": round(sum(listener["gap_s"] for listener in each), 2),
        "longest_wait_s": round(max(listener["longest_wait_s"] for listener in each), 2),
        "lost": sum(listener["lost"] for listener in each),
        "listeners_own_lag_ms": heard["own_lag_max_ms"],
        "newcomer": came,
        "faults": server.faults,
    }


async def _flooding(flood: Flood, target: Target) -> None:
    await flood(target)


def table(results: dict[str, dict[str, dict[str, Any]]]) -> str:
    """The results in Markdown, two lines a flood."""
    lines = [
        "| flood | sources | memory before, at most (MiB) | loop lag p50, p99, max (ms) | gaps, seconds | newcomer |",
        "|---|---|---|---|---|---|",
    ]
    for name, by_sources in results.items():
        for sources, row in by_sources.items():
            lag = row["loop_lag_ms"]
            lines.append(
                f"| {name.replace('_', ' ')} | {sources} | {row['rss_before_mib']:.0f}, {row['rss_peak_mib']:.0f} | "
                f"{lag['p50_ms']:.1f}, {lag['p99_ms']:.1f}, {lag['max_ms']:.0f} | {row['gaps']}, {row['gap_s']:.1f} | "
                f"{row['newcomer']} |"
            )
    return "\n".join(lines)


async def main(args: argparse.Namespace) -> int:
    """Returns the exit status."""
    results: dict[str, dict[str, dict[str, Any]]] = {}
    roots = ({"before": args.before} if args.before else {}) | {"now": ROOT}
    for flood in FLOODS:
        name = getattr(flood, "__name__")  # noqa: B009
        if args.only and name not in args.only:
            continue
        for sources, root in roots.items():
            row = await flooded(root, flood, args)
            results.setdefault(name, {})[sources] = row
            print(f"{name} {sources}: {row}", file=sys.stderr, flush=True)
            if args.json:
                found = {"machine": describe_machine(), "seconds": args.seconds, "results": results}
                args.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    print(table(results))
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, metavar="DIR", help="a checkout of an older commit, to compare with")
    parser.add_argument("--only", nargs="+", metavar="FLOOD", help="some of the floods")
    parser.add_argument("--seconds", type=float, default=15.0, help="how long each flood lasts")
    parser.add_argument("--listeners", type=int, default=3)
    parser.add_argument("--server-nice", type=int, metavar="N", help=SERVER_NICE)
    parser.add_argument("--json", type=Path, help="write the results here")
    sys.exit(uvloop.run(main(parser.parse_args())))
