"""Does a long text cost the same at its end as at its beginning?

    python -m bench.load.long_text --characters 10000 --language en --json long_text.json

One text is streamed over HTTP (/v1/tts/stream, class batch) as fast as it is made. It prints the resident memory of
each process at the start and at the end, and the time between hops: the 95th percentile of the first and of the last
minute.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp

from bench.load.calls.memory import resident_mib
from bench.load.server_process import ServerProcess, measured_server
from bench.load.turn import percentile, texts
from bench.machine import describe_machine

MINUTE_S = 60.0


def long_text(language: str, characters: int) -> str:
    """The shipped sentences, repeated until there are enough characters."""
    lines = texts("english" if language == "en" else "mandarin")
    text = (" " if language == "en" else "").join(lines)
    return (text * (characters // len(text) + 1))[:characters]


async def stream(server: ServerProcess, text: str, language: str) -> tuple[list[float], int]:
    """When each second of sound came, and the number of all bytes."""
    arrivals_s: list[float] = []
    size = 0
    body = {"text": text, "language": language, "class": "batch", "seed": 1}
    timeout = aiohttp.ClientTimeout(total=None)
    async with (
        aiohttp.ClientSession(timeout=timeout) as http,
        http.post(f"{server.url}/v1/tts/stream", json=body) as response,
    ):
        response.raise_for_status()
        async for data in response.content.iter_any():
            size += len(data)
            if size // 48000 > len(arrivals_s):
                arrivals_s.append(time.monotonic())
                print(f"\r{size // 48000} s of sound", end="", file=sys.stderr)
    return arrivals_s, size


async def main(args: argparse.Namespace) -> int:
    """Returns the exit status."""
    text = long_text(args.language, args.characters)
    async with measured_server(None, ["--model", args.model]) as server:
        await stream(server, text[:200], args.language)
        before = resident_mib(server)
        start_s = time.monotonic()
        arrivals_s, size = await stream(server, text, args.language)
        after = resident_mib(server)
    hops = [(b, b - a) for a, b in itertools.pairwise(arrivals_s)]
    first = [gap for at, gap in hops if at < arrivals_s[0] + MINUTE_S]
    last = [gap for at, gap in hops if at > arrivals_s[-1] - MINUTE_S]
    result: dict[str, Any] = {
        "characters": len(text),
        "audio_s": round(size / 48000, 1),
        "wall_s": round(arrivals_s[-1] - start_s, 1),
        "memory_mib_before": before,
        "memory_mib_after": after,
        "hop_p95_first_s": round(percentile(first, 95), 3),
        "hop_p95_last_s": round(percentile(last, 95), 3),
    }
    print("\r" + json.dumps(result, indent=1))
    if args.json:
        args.json.write_text(json.dumps({"machine": describe_machine(), **result}, indent=1))
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--characters", type=int, default=10_000)
    parser.add_argument("--language", choices=["en", "zh"], default="en")
    parser.add_argument("--model", default="nano", metavar="DIR|nano")
    parser.add_argument("--json", type=Path, help="write the results here")
    sys.exit(asyncio.run(main(parser.parse_args())))
