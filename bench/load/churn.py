"""Do sessions leave anything behind? Connects, starts, writes, and cancels or hangs up at random points, then counts.

    python -m bench.load.churn --cycles 10000 --longest-s 0.5 --side-by-side 12 --json churn.json

Clients come by every entrance: the sockets of both protocols, requests for whole files and for streams, and recordings
that must be prepared. They cancel, close in order, close one direction, send RST, or vanish, also in the middle of a
frame or body. It counts before and after, in the server: asyncio tasks, file descriptors of every process, open
utterances, vLLM requests, bytes of keys and values, what accounts hold, places. It also counts frames of a context that
came after its `cancelled`. The exit status is 1 if anything is left or a frame came late.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.load.attacks.lives import Lives
from bench.machine import describe_machine
from bench.model.random_checkpoint import speaker_network
from cosyvoice.models import NANO
from rtserver.commands.narrator import Narrator
from rtserver.commands.server import Server
from rtserver.config import ServerConfig
from rtserver.engine.host.local import LocalEngine

SETTLE_S = 60.0
WARM_UP_CYCLES = 40


def cloning_model(directory: Path) -> Path:
    """The embedded checkpoint with a stand-in for the speaker network, so that recordings can be prepared."""
    shutil.copytree(NANO, directory, dirs_exist_ok=True)
    (directory / "campplus.onnx").write_bytes(speaker_network(outputs=192))
    serving = json.loads((NANO / "serving.json").read_text(encoding="utf-8"))
    serving["modes"] = ["sft", "zero_shot", "cross_lingual", "vc"]
    (directory / "serving.json").write_text(json.dumps(serving), encoding="utf-8")
    return directory


async def counts(server: Server) -> dict[str, int]:
    """The counts of everything that a client could leave behind."""
    gc.collect()
    app, engine = server.app, server.app.engine
    assert engine is not None
    processes = {"front": os.getpid()} | {name: h.pid for name, h in engine.processes.items() if h.pid is not None}
    descriptors = {f"{name}_descriptors": len(os.listdir(f"/proc/{pid}/fd")) for name, pid in processes.items()}
    held = await engine.held() if isinstance(engine, LocalEngine) else {"engine": engine.live}
    accounts = {f"held_{kind}": app.accounts.held[kind] for kind in app.accounts.limits}
    front = {
        "connections": len(app.connections),
        "holders": app.accounts.holders,
        "live": sum(app.metrics.live.values()),
    }
    return (
        {"tasks": len(asyncio.all_tasks()), "places": round(app.admission.demand), **front, **accounts}
        | descriptors
        | held
    )


@contextlib.asynccontextmanager
async def _running(args: argparse.Namespace) -> AsyncIterator[Server]:
    with tempfile.TemporaryDirectory() as folder:
        clones = args.engine == "local" and args.model == "nano"
        model = str(cloning_model(Path(folder) / "model")) if clones else args.model
        config = ServerConfig(port=0, model=model, cache_dir=folder, languages=["en"], engine=args.engine)
        async with Server.running(config, Narrator().progress) as server:
            yield server


async def main(args: argparse.Namespace) -> int:
    """Returns the exit status."""
    async with _running(args) as server:
        port = int(server.url.rsplit(":", 1)[1])
        warming = Lives(port, random.Random(0), args.longest_s, clones=True)
        await _many(warming, WARM_UP_CYCLES, args.side_by_side)
        before = await settled(server, None)
        lives = Lives(port, random.Random(args.seed), args.longest_s, clones=True)
        start_s = time.monotonic()
        await _many(lives, args.cycles, args.side_by_side)
        wall_s = time.monotonic() - start_s
        after = await settled(server, before)
    left = {what: after[what] - n for what, n in before.items() if after[what] != n}
    outcome = lives.outcome
    print(f"\r{args.cycles} cycles in {wall_s:.0f} s: {asdict(outcome)}")
    print(f"before: {before}\nleft behind: {left or 'nothing'}")
    result: dict[str, Any] = {
        "machine": describe_machine(), "engine": args.engine, "cycles": args.cycles, "wall_s": round(wall_s),
        "outcome": asdict(outcome), "before": before, "after": after, "left": left,
    }  # fmt: skip
    if args.json:
        args.json.write_text(json.dumps(result, indent=1))
    return 1 if left or outcome.late_frames or not outcome.audio_frames else 0


async def _many(lives: Lives, cycles: int, side_by_side: int) -> None:
    todo = iter(range(cycles))

    async def client() -> None:
        for number in todo:
            if number % 50 == 0:
                print(f"\r{number} of {cycles} cycles", end="", file=sys.stderr, flush=True)
            await lives.live()

    async with asyncio.TaskGroup() as clients:
        for _ in range(side_by_side):
            clients.create_task(client())


async def settled(server: Server, expected: dict[str, int] | None) -> dict[str, int]:
    """The counts when they are as expected, or after a while. expected: None for an idle server, for which nobody holds
    anything and whose counts do not change any more."""
    end_s = time.monotonic() + SETTLE_S
    last = await counts(server)
    while time.monotonic() < end_s:
        await asyncio.sleep(1.0)
        now = await counts(server)
        is_idle = not (now["holders"] or now.get("preparations"))
        if is_idle and now == (last if expected is None else expected):
            return now
        last = now
    return last


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=200)
    parser.add_argument("--side-by-side", type=int, default=4, metavar="N", help="clients at once")
    parser.add_argument("--longest-s", type=float, default=2.5, metavar="S", help="longest time to the end of a client")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--engine", choices=["local", "fake"], default="local", help="the model, or tones")
    parser.add_argument("--model", default="nano", metavar="DIR|nano")
    parser.add_argument("--json", type=Path, help="write the results here")
    sys.exit(asyncio.run(main(parser.parse_args())))
