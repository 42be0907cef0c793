"""Is the first use of a language, format or mode right after ready slower than later ones?

    python -m bench.load.first_use --starts 5 --json first_use.json

A fresh server is started several times. As soon as it is ready, each kind of request is made once, in another order
each time, then each three times more. It prints for each kind the time to the first sound: the median of the first uses
over all starts, that of the later ones, and the median of their ratios. Each recording is new, and its time has its
preparation in it. The exit status is 1 if a ratio is above 2. The model is the embedded one with a stand-in for the
speaker network, so that recordings can be prepared.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from bench.load.attacks.attacked import Attacked, attacked_server
from bench.load.attacks.lives import recording
from bench.load.churn import cloning_model
from bench.machine import describe_machine

LATER = 3
MOST = 2.0
_ENGLISH, _MANDARIN = "It is 3:45 on May 3rd, and Dr. Smith owes $12.50.", "今天是5月3日，收入增长了12.5%，请稍等。"
KINDS: dict[str, dict[str, str]] = {
    "language en": {"text": _ENGLISH, "language": "en"},
    "language zh": {"text": _MANDARIN, "language": "zh"},
    "language auto": {"text": "Hello 你好。", "language": "auto"},
    **{
        f"format {name}": {"text": "Yes, of course.", "language": "en", "format": name}
        for name in ("pcm_s16le", "pcm_f32le", "wav", "ogg_opus", "mp3", "aac", "flac", "ulaw", "alaw")
    },
    "rate 8000": {"text": "Yes, of course.", "language": "en", "sample_rate": "8000"},
    "socket opus": {"text": "Yes, of course.", "language": "en", "format": "opus"},
    "mode zero_shot": {"text": "Yes.", "language": "en", "mode": "zero_shot", "prompt_text": "Good morning to you."},
    "mode cross_lingual": {"text": "Yes.", "language": "en", "mode": "cross_lingual"},
    "mode vc": {"mode": "vc"},
}


@dataclass
class Times:
    """Seconds to the first sound of one kind, one list for each start."""

    first_s: list[float] = field(default_factory=list)
    later_s: list[list[float]] = field(default_factory=list)

    def row(self) -> dict[str, float]:
        """The medians."""
        later_s = [statistics.median(times) for times in self.later_s]
        ratios = [first / later for first, later in zip(self.first_s, later_s)]
        return {
            "first_s": round(statistics.median(self.first_s), 3),
            "later_s": round(statistics.median(later_s), 3),
            "ratio": round(statistics.median(ratios), 2),
        }


async def first_sound_s(http: aiohttp.ClientSession, url: str, kind: str, chance: random.Random) -> float:
    """One request of a kind, read to its end."""
    fields = KINDS[kind]
    begun_s = time.monotonic()
    if kind.startswith("socket"):
        async with http.ws_connect(f"{url}/v1/speech/realtime") as ws:
            await ws.send_json({"type": "start", "end": True, **fields})
            at_s = 0.0
            async for frame in ws:
                if frame.type is aiohttp.WSMsgType.BINARY:
                    at_s = at_s or time.monotonic() - begun_s
                elif json.loads(frame.data)["type"] in ("done", "error"):
                    break
            return at_s
    form = aiohttp.FormData(fields)
    if fields.get("mode") in ("zero_shot", "cross_lingual"):
        form.add_field("prompt_wav", recording(chance), filename="prompt.wav")
    elif fields.get("mode") == "vc":
        form.add_field("source_wav", recording(chance), filename="source.wav")
    async with http.post(f"{url}/v1/tts/stream", data=form) as answer:
        if answer.status != 200:
            raise RuntimeError(f"{kind}: expected sound, found {answer.status} {await answer.text()}")
        await answer.content.readany()
        at_s = time.monotonic() - begun_s
        await answer.read()
    return at_s


async def one_start(server: Attacked, chance: random.Random, times: Mapping[str, Times]) -> None:
    """All kinds once, in a random order, then all again."""
    kinds = list(KINDS)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=300)) as http:
        chance.shuffle(kinds)
        for kind in kinds:
            times[kind].first_s.append(await first_sound_s(http, server.url, kind, chance))
            times[kind].later_s.append([])
        for _ in range(LATER):
            chance.shuffle(kinds)
            for kind in kinds:
                times[kind].later_s[-1].append(await first_sound_s(http, server.url, kind, chance))


async def main(args: argparse.Namespace) -> int:
    """Returns the exit status."""
    times = {kind: Times() for kind in KINDS}
    ready_s: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        settings: dict[str, Any] = {"model": str(cloning_model(Path(folder) / "model")), "cache_dir": f"{folder}/cache"}
        settings |= {"admission": False}
        for start in range(-1, args.starts):  # the first one fills the cache of prepared voices
            begun_s = time.monotonic()
            async with attacked_server(settings) as server:
                if start < 0:
                    continue
                ready_s.append(round(time.monotonic() - begun_s, 1))
                await one_start(server, random.Random(args.seed + start), times)
            print(f"start {start + 1} of {args.starts}", file=sys.stderr, flush=True)
    rows = {kind: kind_times.row() for kind, kind_times in times.items()}
    print("| kind | first use, s | later, s | ratio |\n|---|---|---|---|")
    for kind, row in rows.items():
        print(f"| {kind} | {row['first_s']:.2f} | {row['later_s']:.2f} | {row['ratio']:.2f} |")
    print(f"ready after {ready_s} s")
    if args.json:
        found = {"machine": describe_machine(), "ready_s": ready_s, "kinds": rows}
        args.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return 1 if any(row["ratio"] > MOST for row in rows.values()) else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the results here")
    sys.exit(asyncio.run(main(parser.parse_args())))
