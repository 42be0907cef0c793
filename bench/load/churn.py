"""Do sessions leave anything behind? Connects, starts, writes and cancels (or vanishes) at random points, then counts.

    python -m bench.load.churn --cycles 200 --side-by-side 4 --json churn.json

It counts before and after, in the server: asyncio tasks, file descriptors of every process, open utterances, vLLM
requests, bytes of keys and values. It also counts frames of a context that came after its `cancelled`. The exit status
is 1 if anything is left or a frame came late.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import random
import struct
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import websockets

from bench.load.turn import texts
from bench.machine import describe_machine
from rtclient.pieces import llm_pieces
from rtserver.commands.narrator import Narrator
from rtserver.commands.server import Server
from rtserver.config import ServerConfig
from rtserver.engine.host.local import LocalEngine

SETTLE_S = 10.0
LISTEN_AFTER_CANCEL_S = 0.5
LONGEST_S = 2.5  # from the start to the cancel


@dataclass
class Outcome:
    """The sums over all cycles."""

    # Cycles that ended with a cancel.
    cancelled: int = 0
    # Cycles that ended with a lost connection.
    vanished: int = 0
    audio_frames: int = 0
    # Frames that came after `cancelled`.
    late_frames: int = 0


async def cycle(url: str, chance: random.Random, outcome: Outcome) -> None:
    """One client: it sends words at a random pace up to a random moment. Then it cancels, or goes away without a
    message."""
    socket = f"{url.replace('http', 'ws')}/v1/realtime"
    async with websockets.connect(socket, compression=None) as ws:
        await ws.send(json.dumps({"type": "start", "language": "en"}))
        end_s = time.monotonic() + chance.uniform(0, LONGEST_S)
        for token in llm_pieces(" ".join(chance.sample(texts("english"), 3))):
            left_s = end_s - time.monotonic()
            if left_s <= 0:
                break
            await ws.send(json.dumps({"type": "text", "text": token}))
            await asyncio.sleep(min(left_s, chance.uniform(0, 0.1)))
        if chance.random() < 0.3:
            outcome.vanished += 1
            ws.transport.abort()
            return
        await ws.send(json.dumps({"type": "cancel"}))
        cancelled_stream, started = None, 0
        try:
            async with asyncio.timeout(LISTEN_AFTER_CANCEL_S):
                async for frame in ws:
                    if isinstance(frame, bytes):
                        outcome.audio_frames += 1
                        outcome.late_frames += struct.unpack_from("<I", frame)[0] == cancelled_stream
                        continue
                    message = json.loads(frame)
                    if message["type"] == "started":
                        started = message["stream"]
                    elif message["type"] == "cancelled":
                        outcome.cancelled += 1
                        cancelled_stream = started
        except TimeoutError:
            pass


async def counts(engine: LocalEngine) -> dict[str, int]:
    """The counts of everything that a context could leave behind."""
    gc.collect()
    held = await engine.held()
    processes = {"front": os.getpid()} | {name: h.pid for name, h in engine.processes.items() if h.pid is not None}
    descriptors = {f"{name}_descriptors": len(os.listdir(f"/proc/{pid}/fd")) for name, pid in processes.items()}
    return {"tasks": len(asyncio.all_tasks()), **descriptors, **held}


async def main(args: argparse.Namespace) -> int:
    """Returns the exit status."""
    chance, outcome = random.Random(args.seed), Outcome()
    config = ServerConfig(port=0, model=args.model, languages=["en"])
    async with Server.running(config, Narrator().progress) as server:
        engine = server.app.engine
        assert isinstance(engine, LocalEngine)
        for _ in range(3):
            await cycle(server.url, random.Random(0), Outcome())
        before = await _settled(engine, None)
        todo = iter(range(args.cycles))

        async def client() -> None:
            for number in todo:
                print(f"\r{number + 1} of {args.cycles} cycles", end="", file=sys.stderr, flush=True)
                await cycle(server.url, chance, outcome)

        start_s = time.monotonic()
        await asyncio.gather(*(client() for _ in range(args.side_by_side)))
        wall_s = time.monotonic() - start_s
        after = await _settled(engine, before)
    left = {what: after[what] - n for what, n in before.items() if after[what] != n}
    print(f"\r{args.cycles} cycles in {wall_s:.0f} s: {asdict(outcome)}")
    print(f"before: {before}\nleft behind: {left or 'nothing'}")
    result: dict[str, Any] = {"machine": describe_machine(), "cycles": args.cycles, "outcome": asdict(outcome)}
    if args.json:
        args.json.write_text(json.dumps(result | {"before": before, "after": after}, indent=1))
    return 1 if left or outcome.late_frames or not outcome.audio_frames else 0


async def _settled(engine: LocalEngine, expected: dict[str, int] | None) -> dict[str, int]:
    """The counts when they are as expected (None: when they do not change any more), or after a while."""
    end_s = time.monotonic() + SETTLE_S
    last = await counts(engine)
    while time.monotonic() < end_s:
        await asyncio.sleep(0.5)
        now = await counts(engine)
        if now == (last if expected is None else expected):
            return now
        last = now
    return last


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=200)
    parser.add_argument("--side-by-side", type=int, default=4, metavar="N", help="clients at once")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default="nano", metavar="DIR|nano")
    parser.add_argument("--json", type=Path, help="write the results here")
    sys.exit(asyncio.run(main(parser.parse_args())))
