"""Does the server run a checkpoint of the released size on this machine, and what does that take?

    python -m bench.model.true_size --json true_size.json
    python -m bench.model.true_size --small --dtypes float32

Random weights of the released 0.5B checkpoint are written into a temporary folder. For each data type of talker and
flow a server is started with them; `rtserver say` speaks a word through it, then three clients speak at once. So there
are three stages: start, say, streams. Of each it gives seconds, processor seconds of each process, and of each process
its largest memory in RAM and its share of it (PSS: pages that several processes have count in parts). Processor seconds
are right also where other work takes the cores.

What the server says is printed while it runs. A stage may take --limit-s. One that is not done by then is marked
("finished": false), and the next data type begins. The results are written after each stage. The exit status is 1 if a
stage is not finished, a process of the server dies, or a client hears nothing. It needs about 12 GB.
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
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

from bench.load.server_process import ServerProcess
from bench.load.start import NotReady, started
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
# Each stream's memory is promised for its longest sequence, 3.6 GB in float32, and taken as it is filled.
_STREAM_KV_MIB = 4500

Found = dict[str, Any]


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


def cpu_s(server: ServerProcess) -> dict[str, float]:
    """Processor seconds of each of the server's processes so far."""
    found = {}
    for pid, part in server.processes().items():
        times = psutil.Process(pid).cpu_times()
        found[part] = times.user + times.system
    return found


def said(url: str, folder: Path, limit_s: float) -> Found:
    """`rtserver say` through the server: its last lines. Raises TimeoutError."""
    command = [sys.executable, "-m", "rtserver", "say", _TEXT, "--server", url, "--voice", _VOICE]
    command += ["-o", str(folder / "said.wav")]
    try:
        result = subprocess.run(command, capture_output=True, text=True, cwd=_ROOT, timeout=limit_s)
    except subprocess.TimeoutExpired:
        raise TimeoutError from None
    if result.returncode:
        return {"error": result.stderr.strip().splitlines()[-1]}
    lines = [line for line in result.stderr.splitlines() if "first audio" in line or "of speech in" in line]
    return {"lines": [line.split("] ", 1)[1] for line in lines]}


async def streams(url: str, count: int) -> list[Found]:
    """So many clients speak at once."""

    async def one(seed: int) -> Found:
        try:
            async with connect(url) as session:
                turn = await speak(session, _TEXT, tokens_per_s=20.0, seed=seed, voice=_VOICE, language="en")
        except ClientError as error:
            return {"error": str(error)}
        assert turn.done is not None
        seconds = {name: round(ms / 1000, 1) for name, ms in turn.done.timings.items()}
        found = {"first_audio_s": round(turn.ttfa_s, 1), "audio_s": round(turn.audio_s, 1), "stages_s": seconds}
        print(f"a client has heard {found}", flush=True)
        return found

    return await asyncio.gather(*(one(seed) for seed in range(count)))


def together(url: str, limit_s: float) -> Found:
    """Three clients. Raises TimeoutError."""
    return {"clients": asyncio.run(asyncio.wait_for(streams(url, _STREAMS), limit_s))}


def stage(server: ServerProcess, do: Callable[[], Found]) -> Found:
    """What `do` found, and what it took. "finished" is false if it took too long."""
    before, begin_s = cpu_s(server), time.monotonic()
    try:
        found: Found = {"finished": True, **do()}
    except TimeoutError:
        found = {"finished": False}
    wall_s, after = time.monotonic() - begin_s, cpu_s(server)
    return {
        **found,
        "wall_s": round(wall_s, 1),
        "cpu_s": {part: round(after[part] - before.get(part, 0.0), 1) for part in after},
        "memory_mib": memory_mib(server),
    }


def measure(model: Path, dtype: str, limit_s: float, tell: Callable[[Found], None]) -> None:
    """One server. tell: is told all that was found so far, after each stage."""
    begin_s = time.monotonic()
    memory = ["--no-admission", "--kv-mib", str(_STREAMS * _STREAM_KV_MIB)]
    arguments = ["--model", str(model), "--language", "en", "--warm-voice", _VOICE, *memory]
    arguments += ["--talker-dtype", dtype, "--flow-dtype", dtype]
    found: Found = {}

    def say_line(text: str) -> None:
        print(f"{dtype}, {time.monotonic() - begin_s:.0f} s: {text}", flush=True)

    with tempfile.TemporaryDirectory() as cache:
        try:
            with started(_ROOT, Path(cache), arguments, limit_s=limit_s, on_line=say_line) as (start, server):
                parts = server.processes()
                found["start"] = {"finished": True, "wall_s": start.ready_s, "cpu_s": start.cpu_s}
                found["start"] |= {"stages_s": start.stages_s, "memory_mib": memory_mib(server)}
                tell(found)
                for name, do in (
                    ("say", lambda: said(server.url, Path(cache), limit_s)),
                    ("streams", lambda: together(server.url, limit_s)),
                ):
                    say_line(f"stage {name}")
                    found[name] = stage(server, do)
                    living = server.processes()
                    found["died"] = sorted(part for pid, part in parts.items() if living.get(pid) != part)
                    tell(found)
                    if not found[name]["finished"]:
                        return
        except NotReady as error:
            found["start"] = {"finished": False, "stages_s": error.stages_s, "busy_with": error.busy_with}
            tell(found)


def is_well(found: Found) -> bool:
    """Whether all is done, nothing died and every client heard something."""
    done = all(found.get(name, {}).get("finished") for name in ("start", "say", "streams"))
    heard = done and "lines" in found["say"] and all(client.get("audio_s") for client in found["streams"]["clients"])
    return heard and not found["died"]


def main(args: argparse.Namespace) -> int:
    """Returns the exit status."""
    result: Found = {"machine": describe_machine(), "size": "small" if args.small else "true", "text": _TEXT}

    def keep(dtype: str, found: Found) -> None:
        result[dtype] = found
        print(json.dumps({dtype: found}, indent=1), flush=True)
        if args.json:
            args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")

    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        print("writing random weights", flush=True)
        write_checkpoint(model, SMALL if args.small else TRUE)
        write_stored_voice(ModelConfig.load(model), _VOICE)
        result["checkpoint_mib"] = sum(file.stat().st_size for file in model.rglob("*") if file.is_file()) >> 20
        for dtype in args.dtypes:
            measure(model, dtype, args.limit_s, lambda found, dtype=dtype: keep(dtype, found))  # type: ignore[misc]
    return 0 if all(is_well(result[dtype]) for dtype in args.dtypes) else 1


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="small networks, to try the script")
    parser.add_argument("--dtypes", nargs="+", default=["float32", "bfloat16"], help="(default: %(default)s)")
    parser.add_argument("--limit-s", type=float, default=900.0, help="seconds of a stage (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="write the results here")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(parsed()))
