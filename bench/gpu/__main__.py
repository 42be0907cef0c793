"""The runbook for a machine with a GPU: checks and measures this code there, in less than nine minutes.

    python -m bench.gpu --json h100.json
    python -m bench.gpu --small --device cpu --json small.json      the same code on a CPU, in a minute

Each stage is a process of its own with a time limit, and all together have one. What has been measured is in the file
at once: it stays there if a stage fails, or if the run is cut short. The whole engine, with vLLM's start, comes last.

It needs this source tree, PyTorch, Transformers, onnxruntime, msgpack, NumPy, psutil, aiohttp and uvloop. The weights
are random: no checkpoint is needed. Where vLLM is installed it is the talker. Elsewhere a stand-in of its size is, and
the rows say so. The result says what it was measured on: only one with a GPU's name says anything about a GPU.
Exit status 1: a stage failed, or a number is wrong.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from bench.gpu.bench import Bench, Row
from bench.gpu.bench_sizes import BenchSizes
from bench.gpu.registry import STAGES, Stage
from bench.gpu.runbook import LIMIT_S, StageResult, all_good, run_stages
from bench.gpu.stage_process import stage_rows
from bench.machine import describe_machine

# A small run may be one of many things that a machine does: its limits are so many times as long.
_SMALL_PATIENCE = 5


def main(arguments: list[str] | None = None) -> int:
    """Runs the stages. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="as PyTorch names it (default: %(default)s)")
    parser.add_argument("--small", action="store_true", help="small models and batches")
    parser.add_argument("--without-vllm", action="store_true", help="a stand-in talker, also where vLLM is installed")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES), help="(default: all)")
    parser.add_argument(
        "--limit-s", type=float, default=LIMIT_S, metavar="S", help="seconds of all stages (default: %(default)s)"
    )
    parser.add_argument("--json", type=Path, default=Path("gpu.json"), metavar="FILE", help="(default: %(default)s)")
    args = parser.parse_args(arguments)
    vllm = not args.without_vllm and importlib.util.find_spec("vllm") is not None
    bench = Bench(args.device, BenchSizes.of(small=args.small), vllm)
    about = {"kind": "measured", "device": args.device, "small": args.small, "machine": describe_machine()}
    patience = _SMALL_PATIENCE if args.small else 1

    def run(stage: Stage, limit_s: float) -> Iterator[Row]:
        return stage_rows(stage.run, bench, limit_s)

    def save(results: Mapping[str, StageResult]) -> None:
        whole = args.json.with_name(args.json.name + ".new")
        whole.write_text(json.dumps({**about, "stages": results}, indent=1) + "\n", encoding="utf-8")
        whole.replace(args.json)

    stages = {
        name: replace(stage, limit_s=patience * (stage.limit_s + stage.vllm_s * vllm))
        for name, stage in STAGES.items()
        if name in args.stages
    }
    good = all_good(run_stages(stages, run, save, limit_s=patience * args.limit_s))
    print(f"{args.json}: {'all stages ran, and all numbers are right' if good else 'FAILED, see above'}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
