"""How much does the front cost? Compared with a bare aiohttp loop and FastAPI on uvicorn, which send the same frames.

    python -m bench.load.front --json front.json --png front.png
    python -m bench.load.front --servers ours bare --rounds 3 --seconds 2
    python -m bench.load.front --only paced --sessions 1000 --paced-seconds 30
    python -m bench.load.front --only saturation --servers ours --rounds 1 --profile front.prof

Every server is a process on one core, and the client is a process on the next core. Our engine makes tones. Frames are
100 ms of 24 kHz PCM, 4,812 bytes.

saturation: some connections take frames as fast as they can, from one server after the other in each round. The result
is frames per second of the server's CPU time. paced: 1,000 sessions in real time, with 10 frames a second each. The
results are how late the server's event loop is, how late frames come, and which share of its core the server uses. All
figures are measured.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.load.fronts.client import LATE_S
from bench.load.fronts.servers import FRAME_MS, PATHS
from bench.machine import describe_machine

_SERVER_CORE, _CLIENT_CORE = 0, 1
_START = {"type": "start", "text": "on "}
_SPREAD_S = 5.0  # paced sessions are opened over this time
_WARM_UP_S = 1.0


class Process:
    """A module of `fronts` in its own process. It takes lines on its standard input and answers in lines."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._name = " ".join([module, *arguments])
        command = [sys.executable, "-m", f"bench.load.fronts.{module}", *arguments]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def tell(self, word: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()

    def hear(self) -> str:
        """The next line. Raises RuntimeError if the process ended instead."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._name}: ended with status {self._process.wait()}")
        return line.strip()

    def end(self) -> None:
        """Closes its input and waits until it has ended."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextlib.contextmanager
def running(module: str, *arguments: str) -> Iterator[Process]:
    """The process ends after the `with` block."""
    process = Process(module, *arguments)
    try:
        yield process
    finally:
        process.end()


class Server:
    """One of the servers that are compared. `port` is where it listens."""

    def __init__(self, name: str, process: Process) -> None:
        self.name = name
        self._process = process
        self._port = process.hear().split()[-1]

    def measure(self, connections: int, seconds: float, *, paced: bool) -> dict[str, Any]:
        """Sends to a client for this many seconds."""
        start = _START if paced else _START | {"class": "batch"}
        arguments = [
            f"--port={self._port}", f"--path={PATHS[self.name]}", f"--connections={connections}",
            f"--core={_CLIENT_CORE}", f"--start={json.dumps(start) if self.name == 'ours' else ''}",
            *([f"--spread-s={_SPREAD_S}", "--arrivals"] if paced else []),
        ]  # fmt: skip
        with running("client", *arguments) as client:
            client.hear()
            time.sleep(_WARM_UP_S)
            for process in (client, self._process):
                process.tell("begin")
            time.sleep(seconds)
            for process in (client, self._process):
                process.tell("end")
            heard = json.loads(client.hear())
        served = json.loads(self._process.hear())
        return _figures(served, heard)


def _figures(served: dict[str, Any], heard: dict[str, Any]) -> dict[str, Any]:
    per_s = heard["frames"] / heard["wall_s"]
    return {
        "frames": heard["frames"],
        "frames_per_s": round(per_s, 1),
        "frames_per_cpu_s": round(per_s / (served["cpu_s"] / served["wall_s"]), 1),
        "server_cores": round(served["cpu_s"] / served["wall_s"], 3),
        "client_cores": round(heard["cpu_s"] / heard["wall_s"], 3),
        "loop_lag_ms": served["loop_lag_ms"],
        **{key: heard[key] for key in ("late_ms", "late_frames", "fewest_frames") if key in heard},
    }


@contextlib.contextmanager
def servers(names: Sequence[str], args: argparse.Namespace, *, paced: bool) -> Iterator[list[Server]]:
    """Starts all servers. Each does nothing while another one is measured."""
    with contextlib.ExitStack() as stack:
        started = []
        for name in names:
            options = [name, f"--core={_SERVER_CORE}", *(["--paced"] if paced else [])]
            if args.profile is not None:
                options.append(f"--profile={args.profile}.{name}")
            started.append(Server(name, stack.enter_context(running("servers", *options))))
        yield started


def saturation(args: argparse.Namespace) -> dict[str, Any]:
    """Measures every server in each round. Returns medians over rounds, and ratios of servers within a round."""
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in args.servers}
    with servers(args.servers, args, paced=False) as started:
        for number in range(args.rounds):
            for server in started:
                rounds[server.name].append(server.measure(args.connections, args.seconds, paced=False))
                latest = rounds[server.name][-1]
                print(f"round {number + 1} of {args.rounds}: {server.name:8s} {_told(latest)}", file=sys.stderr)
    return {
        "connections": args.connections,
        "seconds": args.seconds,
        "servers": {
            name: {"frames_per_cpu_s": statistics.median(r["frames_per_cpu_s"] for r in found), "rounds": found}
            for name, found in rounds.items()
        },
        "ours_to": {name: ratio(rounds, name) for name in args.servers if name != "ours" and "ours" in rounds},
    }


def paced(args: argparse.Namespace) -> dict[str, Any]:
    """Measures one server after the other."""
    found = {}
    for name in args.servers:
        with servers([name], args, paced=True) as (server,):
            found[name] = server.measure(args.sessions, args.paced_seconds, paced=True)
        print(f"paced: {name:8s} {_told(found[name])}", file=sys.stderr)
    return {"sessions": args.sessions, "seconds": args.paced_seconds, "servers": found}


def ratio(rounds: dict[str, list[dict[str, Any]]], name: str) -> float:
    pairs = zip(rounds["ours"], rounds[name], strict=True)
    ratios: list[float] = [o["frames_per_cpu_s"] / r["frames_per_cpu_s"] for o, r in pairs]
    return round(statistics.median(ratios), 3)


def _told(figures: dict[str, Any]) -> str:
    lag, late = figures["loop_lag_ms"], figures.get("late_ms")
    told = (
        f"{figures['frames_per_s']:8.0f} frames/s, {figures['frames_per_cpu_s']:8.0f} per CPU second, "
        f"{figures['server_cores']:.2f} of its core (client {figures['client_cores']:.2f}), loop lag p50 "
        f"{lag['p50']:.1f} p99 {lag['p99']:.1f} max {lag['max']:.1f} ms"
    )
    if late is None:
        return told
    return (
        f"{told}; frames late p50 {late['p50']:.1f} p99 {late['p99']:.1f} max {late['max']:.1f} ms, "
        f"{figures['late_frames']} of {figures['frames']} by more than {LATE_S * 1000:.0f} ms"
    )


def _print(results: dict[str, Any]) -> None:
    if "saturation" in results:
        found = results["saturation"]
        print(
            f"measured: frames as fast as the client reads, {found['connections']} connections, medians of the rounds"
        )
        for name, figures in found["servers"].items():
            ratio = f"  ours: {found['ours_to'][name]:.2f} of it" if name in found["ours_to"] else ""
            print(f"  {name:8s} {figures['frames_per_cpu_s']:8.0f} frames per CPU second{ratio}")
    if "paced" in results:
        found = results["paced"]
        print(f"measured: {found['sessions']} sessions in real time, {1000 // FRAME_MS} frames a second each")
        for name, figures in found["servers"].items():
            print(f"  {name:8s} {_told(figures)}")


def _installed() -> list[str]:
    """The servers that can be measured. vLLM brings FastAPI and uvicorn."""
    missing = any(importlib.util.find_spec(name) is None for name in ("fastapi", "uvicorn"))
    return [name for name in PATHS if name != "fastapi" or not missing]


def main(args: argparse.Namespace) -> None:
    """Measures, prints, writes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4 * args.sessions + 200)), hard))
    results: dict[str, Any] = {}
    if args.only in (None, "saturation"):
        results["saturation"] = saturation(args)
    if args.only in (None, "paced"):
        results["paced"] = paced(args)
    _print(results)
    if args.json is not None:
        args.json.write_text(json.dumps({"machine": describe_machine(), "measured": True, **results}, indent=1))
    if args.png is not None:
        from bench.load.fronts.plot import draw

        draw(results, args.png)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--servers",
        nargs="+",
        choices=list(PATHS),
        default=_installed(),
        help="servers to compare (default: those that are installed)",
    )
    parser.add_argument("--only", choices=["saturation", "paced"])
    parser.add_argument("--connections", type=int, default=50, help="connections at saturation (default: 50)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds at saturation (default: 5)")
    parser.add_argument(
        "--seconds", type=float, default=3.0, metavar="S", help="length of each server's part of a round"
    )
    parser.add_argument("--sessions", type=int, default=1000, help="sessions in real time (default: 1000)")
    parser.add_argument(
        "--paced-seconds", type=float, default=25.0, metavar="S", help="length of each server's run in real time"
    )
    parser.add_argument("--profile", metavar="FILE", help="also write cProfile statistics of each server, FILE.NAME")
    parser.add_argument("--json", type=Path, help="write the results here")
    parser.add_argument("--png", type=Path, help="draw the results here")
    main(parser.parse_args())
