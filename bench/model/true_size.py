"""Does the server run a checkpoint of the released size on this machine, and what does that take?

    python -m bench.model.true_size --json true_size.json
    python -m bench.model.true_size --small --dtypes float32

Random weights of the released 0.5B checkpoint are written into a temporary folder. For each data type a server is
started with them; `rtserver say` speaks a word through it, then three clients speak at once. It prints the seconds of
each stage, and of each process its largest memory in RAM and its share of it (PSS: pages that several processes have
count in parts). The exit status is 1 if a process of the server dies or a client hears nothing. It needs about 12 GB.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.load.server_process import ServerProcess
from bench.load.start import started
from bench.load.turn import speak
from bench.machine import describe_machine
from bench.model.random_checkpoint import SMALL, TRUE, write_checkpoint, write_stored_voice
from cosyvoice.config import ModelConfig
from rtclient import ClientError, connect

_ROOT = Path(__file__).resolve().parents[2]
_VOICE = "random"
_TEXT = "Hi."
_STREAMS = 3
_MIB = 1024  # KiB


def memory_mib(server: ServerProcess) -> dict[str, dict[str, int]]:
    """Of each process, by part: the most that it had in RAM so far, what it has now, and its share of that."""
    found = {}
    for pid, part in server.processes().items():
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        shares = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
        kib = {
            "peak": re.search(r"VmHWM:\s+(\d+)", status),
            "now": re.search(r"VmRSS:\s+(\d+)", status),
            "share": re.search(r"\nPss:\s+(\d+)", shares),
        }
        found[part] = {name: int(match[1]) // _MIB for name, match in kib.items() if match}
    return found


def said(url: str, folder: Path) -> dict[str, Any]:
    """`rtserver say` through the server: its last lines."""
    command = [sys.executable, "-m", "rtserver", "say", _TEXT, "--server", url, "--voice", _VOICE]
    start_s = time.monotonic()
    result = subprocess.run([*command, "-o", str(folder / "said.wav")], capture_output=True, text=True, cwd=_ROOT)
    if result.returncode:
        raise RuntimeError(f"expected speech, found: {result.stderr}")
    lines = [line for line in result.stderr.splitlines() if "first audio" in line or "of speech in" in line]
    return {"wall_s": round(time.monotonic() - start_s, 1), "lines": [line.split("] ", 1)[1] for line in lines]}


async def streams(url: str, count: int) -> list[dict[str, Any]]:
    """So many clients speak at once."""

    async def one(seed: int) -> dict[str, Any]:
        try:
            async with connect(url) as session:
                turn = await speak(session, _TEXT, tokens_per_s=20.0, seed=seed, voice=_VOICE, language="en")
        except ClientError as error:
            return {"error": str(error)}
        assert turn.done is not None
        seconds = {name: round(ms / 1000, 1) for name, ms in turn.done.timings.items()}
        return {"first_audio_s": round(turn.ttfa_s, 1), "audio_s": round(turn.audio_s, 1), "stages_s": seconds}

    return await asyncio.gather(*(one(seed) for seed in range(count)))


def measured(model: Path, dtype: str) -> dict[str, Any]:
    """One server."""
    # Each stream's memory is promised for its longest sequence, 3.6 GB in float32, and taken as it is filled.
    memory = ["--no-admission", "--kv-mib", str(_STREAMS * 4500)]
    arguments = ["--model", str(model), "--language", "en", "--warm-voice", _VOICE, *memory]
    with tempfile.TemporaryDirectory() as cache:
        types = ["--talker-dtype", dtype, "--flow-dtype", dtype]
        with started(_ROOT, Path(cache), [*arguments, *types]) as (start, server):
            parts = server.processes()
            at_start = memory_mib(server)
            print(f"{dtype}: ready after {start.ready_s} s, {at_start}", flush=True)
            spoken = said(server.url, Path(cache))
            print(f"{dtype}: {spoken}", flush=True)
            start_s = time.monotonic()
            together = asyncio.run(streams(server.url, _STREAMS))
            wall_s = round(time.monotonic() - start_s, 1)
            died = sorted(set(parts.values()) - {part for pid, part in server.processes().items() if pid in parts})
            return {
                "ready_s": start.ready_s,
                "start_stages_s": start.stages_s,
                "memory_mib_at_start": at_start,
                "say": spoken,
                "streams": {"wall_s": wall_s, "clients": together},
                "memory_mib": memory_mib(server),
                "died": died,
            }


def is_well(found: dict[str, Any]) -> bool:
    """Whether nothing died and every client heard something."""
    return not found["died"] and all(client.get("audio_s") for client in found["streams"]["clients"])


def main(args: argparse.Namespace) -> int:
    """Returns the exit status."""
    result: dict[str, Any] = {"machine": describe_machine(), "size": "small" if args.small else "true"}
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        write_checkpoint(model, SMALL if args.small else TRUE)
        write_stored_voice(ModelConfig.load(model), _VOICE)
        result["checkpoint_mib"] = sum(file.stat().st_size for file in model.rglob("*") if file.is_file()) >> 20
        for dtype in args.dtypes:
            result[dtype] = measured(model, dtype)
            print(json.dumps({dtype: result[dtype]}, indent=1), flush=True)
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0 if all(is_well(result[dtype]) for dtype in args.dtypes) else 1


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="small networks, to try the script")
    parser.add_argument("--dtypes", nargs="+", default=["float32", "bfloat16"], help="(default: %(default)s)")
    parser.add_argument("--json", type=Path, help="write the results here")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(parsed()))
