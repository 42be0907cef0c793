"""How long does a start take, and where does the time go?

    python -m bench.load.start --runs 3 --json start.json
    python -m bench.load.start --runs 3 --before ../older --json start.json

Starts `rtserver serve` with an empty cache (cold) and again with the cache that this has left (warm), and stops it when
it is ready. A stage begins with a line that the server prints about one of its processes, and ends with the next line
about the same process. It prints medians: seconds until ready, seconds of each stage, and CPU seconds of each process
until then. `libraries` are the imports alone, in a process of their own: what no start of the talker can save. With
--before, the sources of an older checkout are started in turn with these.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from bench.load.server_process import SERVE, ServerProcess, part_of
from bench.machine import describe_machine

_ROOT = Path(__file__).resolve().parents[2]
_LINE = re.compile(r"\[ *[\d.]+ s\] (?:(?P<part>\w+): )?(?P<text>.*)")
# What a part does before its first line.
_FIRST = "process and imports"
# What the talker imports of others. As there, nothing looks for garbage meanwhile.
_LIBRARIES = {
    "torch": "import gc; gc.disable(); import torch",
    "torch and vllm": "import gc; gc.disable(); import torch; "
    "import vllm.engine.arg_utils, vllm.v1.engine.llm_engine, vllm.v1.worker.cpu_worker",
}


@dataclass
class Start:
    """One start."""

    ready_s: float = 0.0
    # Seconds by "part: stage".
    stages_s: dict[str, float] = field(default_factory=dict)
    # CPU seconds of each process until ready.
    cpu_s: dict[str, float] = field(default_factory=dict)


class NotReady(RuntimeError):
    """A server has ended before it was ready."""

    def __init__(self, stages_s: dict[str, float], busy_with: list[str]) -> None:
        """stages_s: seconds of the stages that were over. busy_with: those that were not."""
        super().__init__(f"expected a server that is ready, found it busy with {', '.join(busy_with) or 'nothing'}")
        self.stages_s = stages_s
        self.busy_with = busy_with


def stages(lines: Sequence[tuple[float, str]]) -> dict[str, float]:
    """Seconds by "part: stage", from the lines of a start with their times. The first stage of each child begins with
    the command's first line. What a part says last ends when the server is ready. Raises NotReady."""
    begun: dict[str, tuple[str, float]] = {}
    found: dict[str, float] = {}

    def end(part: str, now_s: float) -> None:
        stage, since_s = begun[part]
        name = f"{part}: {stage}"
        found[name] = round(found.get(name, 0.0) + now_s - since_s, 2)

    first_s = 0.0
    for at_s, line in lines:
        match = _LINE.fullmatch(line)
        if match is None:
            continue
        part, text = match["part"], match["text"]
        if text.startswith("loading ") and part is None:
            first_s = at_s
            found[f"front: {_FIRST}"] = round(at_s, 2)
        elif part == "ready":
            for name in begun:
                end(name, at_s)
            return {name: seconds for name, seconds in found.items() if not name.endswith(": ready")}
        elif part is not None:
            begun.setdefault(part, (_FIRST, first_s))
            end(part, at_s)
            begun[part] = text, at_s
    raise NotReady(found, [f"{part}: {stage}" for part, (stage, _) in begun.items() if stage != "ready"])


@contextlib.contextmanager
def started(
    root: Path,
    cache: Path,
    arguments: Sequence[str],
    *,
    limit_s: float | None = None,
    on_line: Callable[[str], None] = lambda line: None,
) -> Iterator[tuple[Start, ServerProcess]]:
    """A server of a checkout that has just become ready. It is stopped after the block. Raises NotReady when it ends
    before, or is not ready after `limit_s` (None: no limit). on_line: is told each line that the server says."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(root), str(root / "clients")))}
    command = [sys.executable, *SERVE, "--port", "0", "--cache-dir", str(cache), *arguments]
    began_s = time.monotonic()
    with subprocess.Popen(
        command, env=environment, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        lines: list[tuple[float, str]] = []
        limit = threading.Timer(threading.TIMEOUT_MAX if limit_s is None else limit_s, process.terminate)
        limit.start()
        try:
            for line in process.stderr:
                lines.append((time.monotonic() - began_s, line.rstrip("\n")))
                on_line(lines[-1][1])
                if "] ready: " in line:
                    break
            limit.cancel()
            stages_s = stages(lines)
            found = Start(round(lines[-1][0], 2), stages_s, _cpu_s(process.pid))
            yield found, ServerProcess(process.stdout.readline().split()[-1], process.pid)
        finally:
            limit.cancel()
            process.terminate()


def _cpu_s(pid: int) -> dict[str, float]:
    front = psutil.Process(pid)
    processes = {"front": front, **{part_of(" ".join(child.cmdline())): child for child in front.children()}}
    return {part: round(sum(process.cpu_times()[:2]), 2) for part, process in processes.items()}


def imports_s(code: str) -> dict[str, float]:
    """Seconds and CPU seconds of a Python process that runs `code`."""
    before, began_s = os.times(), time.monotonic()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "VLLM_LOGGING_LEVEL": "ERROR"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, capture_output=True)
    after = os.times()
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    return {"wall": round(time.monotonic() - began_s, 2), "cpu": round(cpu_s, 2)}


def medians(starts: Sequence[Start]) -> dict[str, Any]:
    """Of several starts. A stage that some of them did not have counts as 0 there."""

    def median(rows: Sequence[dict[str, float]]) -> dict[str, float]:
        names = dict.fromkeys(name for row in rows for name in row)
        return {name: round(statistics.median(row.get(name, 0.0) for row in rows), 2) for name in names}

    cpu_s = median([start.cpu_s for start in starts])
    return {
        "ready_s": round(statistics.median(start.ready_s for start in starts), 2),
        "cpu_all_s": round(sum(cpu_s.values()), 2),
        "cpu_s": cpu_s,
        "stages_s": median([start.stages_s for start in starts]),
        "all_ready_s": [start.ready_s for start in starts],
    }


def measured(roots: dict[str, Path], runs: int, arguments: Sequence[str]) -> dict[str, dict[str, list[Start]]]:
    """By the name of the sources, then cold or warm."""
    found: dict[str, dict[str, list[Start]]] = {name: {"cold": [], "warm": []} for name in roots}
    for _ in range(runs):
        for name, root in roots.items():
            with tempfile.TemporaryDirectory() as cache:
                for kind in ("cold", "warm"):
                    with started(root, Path(cache), arguments) as (start, _):
                        found[name][kind].append(start)
                    print(f"{name}, {kind}: ready after {found[name][kind][-1].ready_s:.1f} s", flush=True)
    return found


def main(args: argparse.Namespace) -> None:
    roots = {} if args.before is None else {"before": args.before.resolve()}
    found = measured({**roots, "now": _ROOT}, args.runs, args.arguments)
    result: dict[str, Any] = {
        "machine": describe_machine(),
        "libraries": {name: imports_s(code) for name, code in _LIBRARIES.items()},
        **{name: {kind: medians(starts) for kind, starts in kinds.items()} for name, kinds in found.items()},
    }
    print(json.dumps(result, indent=1))
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--before", type=Path, metavar="DIR", help="a checkout of an older commit, to compare with")
    parser.add_argument("--json", type=Path, help="write the results here")
    parser.add_argument("arguments", nargs="*", help="more arguments of `rtserver serve`, after --")
    main(parser.parse_args())
