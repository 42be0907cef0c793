"""What do listeners hear when an engine process is killed while it speaks?

    python -m bench.load.crash --streams 3 --json crash.json

The same texts and seeds are spoken in three runs: undisturbed, with the talker killed, and with the acoustic process
killed. It compares with the undisturbed run: speech tokens, samples (their number, place and value), the size of the
step where the sound continues, and how long no frame came. The exit status is 1 if a sample is missing, repeated or
from another utterance.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.load.server_process import ServerProcess, measured_server
from bench.load.turn import Turn, speak, texts
from bench.machine import describe_machine
from rtclient import Session, connect

SENTENCES = 4
KILL_AFTER_S = 2.0  # after the start of a run
CLICK_WINDOW = 240  # samples around the join: 10 ms


@dataclass(frozen=True)
class Join:
    """The place where a stream was when the process died, and what came afterwards."""

    samples_before: int
    # From the kill to the next frame.
    silent_s: float
    # The part of it that the listener heard as silence.
    heard_gap_s: float


async def run(
    server: ServerProcess, session: Session, args: argparse.Namespace, kill: str | None
) -> tuple[list[Turn], float]:
    """Speaks all streams once. Returns their turns, and when the process was killed (None: no kill)."""
    lines = texts("english")
    replies = [" ".join(lines[i * SENTENCES : (i + 1) * SENTENCES]) for i in range(args.streams)]
    turns = [
        asyncio.create_task(speak(session, reply, tokens_per_s=30, seed=100 + i, language="en"))
        for i, reply in enumerate(replies)
    ]
    killed_s = 0.0
    if kill is not None:
        await asyncio.sleep(KILL_AFTER_S)
        pid = next(pid for pid, part in server.children().items() if part == kill)
        killed_s = time.monotonic()
        os.kill(pid, signal.SIGKILL)
    return await asyncio.gather(*turns), killed_s


def compare(turn: Turn, undisturbed: Turn, killed_s: float, rate: int) -> dict[str, Any]:
    """The figures of one stream."""
    assert turn.done is not None and undisturbed.done is not None
    wave, expected = samples(turn), samples(undisturbed)
    join = find_join(turn, killed_s, rate)
    same_length = len(wave) == len(expected)
    difference = np.abs(wave - expected) if same_length else np.array([np.inf])
    return {
        "speech_tokens_same": turn.done.usage == undisturbed.done.usage,
        "samples_same": same_length,
        "contiguous": contiguous(turn, rate),
        "largest_difference": round(float(difference.max()), 5),
        "difference_before_join": round(float(difference[: join.samples_before].max(initial=0)), 5)
        if same_length
        else None,
        "step_at_join": round(step(wave, join.samples_before) / max(1e-9, step(expected, join.samples_before)), 2),
        "silent_s": round(join.silent_s, 2),
        "heard_gap_s": round(join.heard_gap_s, 2),
    }


def samples(turn: Turn) -> NDArray[np.float64]:
    """The sound, from -1 to 1."""
    return np.frombuffer(bytes(turn.pcm), "<i2") / 32768.0


def contiguous(turn: Turn, rate: int) -> bool:
    """Whether every frame begins where the one before ended."""
    at = 0
    for start_ms, size in turn.frames:
        if start_ms != at * 1000 // rate:
            return False
        at += size // 2
    return True


def find_join(turn: Turn, killed_s: float, rate: int) -> Join:
    """The longest wait for a frame after the kill."""
    late = [i for i, at_s in enumerate(turn.arrivals_s) if at_s > killed_s]
    index = max(
        late, key=lambda i: turn.arrivals_s[i] - max(killed_s, turn.arrivals_s[i - 1] if i else killed_s), default=0
    )
    samples_before = sum(size // 2 for _, size in turn.frames[:index])
    before_s = max(killed_s, turn.arrivals_s[index - 1]) if index else killed_s
    return Join(samples_before, turn.arrivals_s[index] - before_s, turn.playback.gap_s)


def step(wave: NDArray[np.float64], at: int) -> float:
    """The largest step between neighbouring samples near a place."""
    return float(np.abs(np.diff(wave[max(0, at - CLICK_WINDOW) : at + CLICK_WINDOW])).max(initial=0))


async def main(args: argparse.Namespace) -> int:
    """Returns the exit status."""
    results: dict[str, Any] = {}
    async with measured_server(None, ["--model", args.model]) as server, connect(server.url) as session:
        rate = session.info.sample_rate
        await speak(session, texts("english")[0], tokens_per_s=30, language="en")
        undisturbed, _ = await run(server, session, args, None)
        for part in ("talker", "acoustic"):
            turns, killed_s = await run(server, session, args, part)
            rows = [compare(turn, twin, killed_s, rate) for turn, twin in zip(turns, undisturbed, strict=True)]
            results[part] = rows
            print(f"{part} killed {KILL_AFTER_S:g} s after the start:")
            for number, row in enumerate(rows):
                print(f"  stream {number}: " + ", ".join(f"{name} {value}" for name, value in row.items()))
    if args.json:
        args.json.write_text(json.dumps({"machine": describe_machine(), "results": results}, indent=1))
    good = ("speech_tokens_same", "samples_same", "contiguous")
    return 0 if all(row[name] for rows in results.values() for row in rows for name in good) else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=3)
    parser.add_argument("--model", default="nano", metavar="DIR|nano")
    parser.add_argument("--json", type=Path, help="write the results here")
    sys.exit(asyncio.run(main(parser.parse_args())))
