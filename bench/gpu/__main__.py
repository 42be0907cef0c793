"""The runbook for a machine with a GPU: checks and measures this code there, within eight minutes (eleven with vLLM).

    python -m bench.gpu --json h100.json
    python -m bench.gpu --small --device cpu --json small.json      the same code on a CPU, in seconds

Each stage is a process of its own with a time limit. What it has measured is in the file even if it fails later.

It needs this source tree, PyTorch, Transformers, onnxruntime, msgpack, NumPy, psutil, aiohttp and uvloop. The weights
are random: no checkpoint is needed. Where vLLM is installed it is the talker. Elsewhere a stand-in of its size is, and
the rows say so. The result says what it was measured on: only one with a GPU's name says anything about a GPU.
Exit status 1: a stage failed, or a number is wrong.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.gpu.bench import Bench
from bench.gpu.bench_sizes import BenchSizes
from bench.gpu.registry import STAGES
from bench.machine import describe_machine

# A small run may be one of many things that a machine does: its limits are so many times as long.
_SMALL_PATIENCE = 5


def main(arguments: list[str] | None = None) -> int:
    """Runs all stages, or in a child process one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="as PyTorch names it (default: %(default)s)")
    parser.add_argument("--small", action="store_true", help="small models and batches")
    parser.add_argument("--without-vllm", action="store_true", help="a stand-in talker, also where vLLM is installed")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES), help="(default: all)")
    parser.add_argument("--json", type=Path, default=Path("gpu.json"), metavar="FILE", help="(default: %(default)s)")
    parser.add_argument("--rows", type=Path, help=argparse.SUPPRESS)  # of a child: where the rows of its stage go
    args = parser.parse_args(arguments)
    if args.rows is not None:
        return _stage(args)
    results: dict[str, Any] = {
        "kind": "measured",
        "device": args.device,
        "small": args.small,
        "machine": describe_machine(),
        "stages": {},
    }
    for name in args.stages:
        results["stages"][name] = _run(name, args)
        args.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    stages = results["stages"].values()
    good = all("error" not in stage and all(row.get("good", True) for row in stage["rows"]) for stage in stages)
    print(f"{args.json}: {'all stages ran, and all numbers are right' if good else 'FAILED, see above'}")
    return 0 if good else 1


def _run(name: str, args: argparse.Namespace) -> dict[str, Any]:
    """One stage in a process of its own."""
    stage = STAGES[name]
    limit_s = (stage.limit_s + stage.vllm_s * _has_vllm(args)) * (_SMALL_PATIENCE if args.small else 1)
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows"
        command = [sys.executable, "-m", "bench.gpu", "--device", args.device, "--stages", name, "--rows", str(rows)]
        flags = ["--small"] * args.small + ["--without-vllm"] * args.without_vllm
        error = None
        try:
            subprocess.run([*command, *flags], check=True, timeout=limit_s)
        except subprocess.TimeoutExpired:
            error = f"not done within {limit_s:g} s"
        except subprocess.CalledProcessError as failed:
            error = f"exit status {failed.returncode}"
        lines = rows.read_text(encoding="utf-8").splitlines() if rows.exists() else []
    result: dict[str, Any] = {"rows": [json.loads(line) for line in lines]}
    for row in result["rows"]:
        print(f"{name}: {' '.join(f'{key}={value}' for key, value in row.items())}", flush=True)
    if error is not None:
        print(f"{name}: {error}", flush=True)
        result["error"] = error
    return result


def _has_vllm(args: argparse.Namespace) -> bool:
    return not args.without_vllm and importlib.util.find_spec("vllm") is not None


def _stage(args: argparse.Namespace) -> int:
    """Writes each row as soon as it is measured."""
    bench = Bench(args.device, BenchSizes.of(small=args.small), _has_vllm(args))
    with args.rows.open("w", encoding="utf-8") as file:
        for row in STAGES[args.stages[0]].run(bench):
            file.write(json.dumps(row) + "\n")
            file.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
