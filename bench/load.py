"""Load over the native wire: N talkers side by side, each speaking turn after turn to a listener in real time.

    python bench/load.py --streams 1 3 4 6 8 --seconds 60 --json load.json
    python bench/load.py --streams 3 --seconds 60 --url http://127.0.0.1:8790

Closed loop: a talker writes a reply word by word (--tokens-per-s), its listener plays from the first frame on, and when
all is heard the next turn begins after a pause. Without --url a server is started for it on this machine.

Printed for each number of streams: TTFA (first text to first frame), gaps of the listeners that are the server's fault
(underruns) and those for want of text, how much sound was made a second, and the processor time of each process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from machine import describe_machine
from server_process import ServerProcess, measured_server
from turn import Turn, percentile, speak, texts

from rtclient import ClientError, Session, connect

PAUSE_S = (0.2, 1.0)  # between two turns of a talker
SENTENCES = (1, 3)  # in a reply
WARM_UP_TURNS = 2


@dataclass
class Load:
    """What N streams got."""

    streams: int
    wall_s: float = 0.0
    turns: list[Turn] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    cpu_s: dict[str, float] = field(default_factory=dict)
    loop_lag_ms: float = 0.0

    def figures(self) -> dict[str, Any]:
        """As plain values."""
        ttfas = [turn.ttfa_s * 1000 for turn in self.turns]
        audio_s = sum(turn.audio_s for turn in self.turns)
        return {
            "streams": self.streams,
            "turns": len(self.turns),
            "ttfa_ms": {f"p{p}": round(percentile(ttfas, p), 1) for p in (50, 95, 99)},
            "ttfa_parts_ms": self._parts(),
            "underrun_turns": sum(turn.underrun_s > 0.001 for turn in self.turns),
            "underrun_s": round(sum(turn.underrun_s for turn in self.turns), 3),
            "text_starved_s": round(sum(turn.starved_s for turn in self.turns), 3),
            "audio_s": round(audio_s, 1),
            "audio_per_wall": round(audio_s / self.wall_s, 2),
            "cpu_cores": {part: round(seconds / self.wall_s, 3) for part, seconds in self.cpu_s.items()},
            "loop_lag_ms": self.loop_lag_ms,
            "errors": self.errors,
        }

    def _parts(self) -> dict[str, float]:
        """Medians of what the server says the first sound waited for: text, its turn, and (the rest) compute."""
        timings = [turn.done.timings for turn in self.turns if turn.done is not None]
        medians = {
            part: statistics.median(t.get(part, 0.0) for t in timings) if timings else 0.0
            for part in ("text_wait", "queue", "ttfa_from_text")
        }
        medians["compute"] = medians["ttfa_from_text"] - medians["text_wait"] - medians["queue"]
        return {part: round(ms) for part, ms in medians.items()}


def reply(chance: random.Random, language: str) -> str:
    """A few sentences of the shipped texts."""
    lines = chance.sample(texts("english" if language == "en" else "mandarin"), chance.randint(*SENTENCES))
    return (" " if language == "en" else "").join(lines)


async def talk(session: Session, load: Load, until_s: float, tokens_per_s: float, languages: list[str]) -> None:
    """One talker: turn after turn until the time is over; a turn that has begun is finished."""
    chance = random.Random(f"{load.streams}/{len(load.turns)}/{id(session)}")
    language = languages[0]
    await asyncio.sleep(chance.uniform(0, PAUSE_S[1]))
    while time.monotonic() < until_s:
        try:
            turn = await speak(session, reply(chance, language), tokens_per_s=tokens_per_s, language=language)
        except ClientError as error:
            load.errors.append(str(error))
            await asyncio.sleep(PAUSE_S[1])
            continue
        load.turns.append(turn)
        heard_s = max(0.0, turn.playback.dry_at_s - time.monotonic())
        await asyncio.sleep(heard_s + chance.uniform(*PAUSE_S))


async def run(server: ServerProcess, streams: int, args: argparse.Namespace) -> Load:
    """One load; prints progress."""
    load = Load(streams)
    async with connect(server.url, api_key=args.api_key) as session:
        before_s, start_s = server.cpu_s(), time.monotonic()
        talkers = [
            talk(session, load, start_s + args.seconds, args.tokens_per_s, [args.languages[i % len(args.languages)]])
            for i in range(streams)
        ]
        progress = asyncio.create_task(_progress(load, start_s, args.seconds))
        await asyncio.gather(*talkers)
        progress.cancel()
        load.wall_s = time.monotonic() - start_s
        load.cpu_s = {part: seconds - before_s.get(part, 0.0) for part, seconds in server.cpu_s().items()}
    load.loop_lag_ms = float((await server.health())["loop_lag_ms"])
    return load


async def _progress(load: Load, start_s: float, seconds: float) -> None:
    while True:
        await asyncio.sleep(5)
        print(
            f"\r{load.streams} streams: {time.monotonic() - start_s:3.0f} of {seconds:.0f} s, {len(load.turns)} turns",
            end="", file=sys.stderr, flush=True,
        )  # fmt: skip


def _print(figures: dict[str, Any], single: dict[str, Any] | None) -> None:
    ttfa = figures["ttfa_ms"]
    ratio = "" if single is None else f" ({ttfa['p95'] / single['ttfa_ms']['p95']:.2f} x one stream)"
    cores = ", ".join(f"{part} {cores:.2f}" for part, cores in figures["cpu_cores"].items())
    lines = [
        f"\r{figures['streams']} streams: {figures['turns']} turns, {figures['audio_per_wall']:.2f} s of sound a "
        "second",
        f"TTFA p50 {ttfa['p50']:.0f} ms, p95 {ttfa['p95']:.0f} ms{ratio}",
        f"of which {figures['ttfa_parts_ms']}",
        f"underruns in {figures['underrun_turns']} turns, {figures['underrun_s']:.2f} s; "
        f"text starved {figures['text_starved_s']:.2f} s; loop lag {figures['loop_lag_ms']:.1f} ms",
        f"cores: {cores}",
    ]
    if figures["errors"]:
        lines.append(f"errors: {figures['errors'][:3]}")
    print("\n    ".join(lines), flush=True)


async def main(args: argparse.Namespace) -> int:
    """Runs every load; the exit status."""
    results: list[dict[str, Any]] = []
    async with measured_server(args.url, ["--model", args.model]) as server:
        async with connect(server.url, api_key=args.api_key) as session:
            for language in args.languages * WARM_UP_TURNS:
                await speak(session, reply(random.Random(0), language), tokens_per_s=30, language=language)
        for streams in args.streams:
            figures = (await run(server, streams, args)).figures()
            results.append(figures)
            _print(figures, next((r for r in results[:-1] if r["streams"] == 1), None))
    if args.json:
        load = {"tokens_per_s": args.tokens_per_s, "seconds": args.seconds, "languages": args.languages}
        args.json.write_text(json.dumps({"machine": describe_machine(), "load": load, "results": results}, indent=1))
    return 1 if any(r["errors"] for r in results) else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 3], metavar="N", help="talkers side by side")
    parser.add_argument("--seconds", type=float, default=60, metavar="S", help="for each number of streams")
    parser.add_argument("--tokens-per-s", type=float, default=20, help="how fast text is written (default: 20)")
    parser.add_argument("--languages", nargs="+", choices=["en", "zh"], default=["en", "zh"], help="taken in turn")
    parser.add_argument("--url", help="a running server (default: one is started)")
    parser.add_argument("--api-key")
    parser.add_argument("--model", default="nano", metavar="DIR|nano", help="of the server that is started")
    parser.add_argument("--json", type=Path, help="write the results here")
    sys.exit(asyncio.run(main(parser.parse_args())))
