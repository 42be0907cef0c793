"""The order of a run: one stage after the other, within one limit for all. Each row is kept as soon as it is there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bench.gpu.bench import Row
from bench.gpu.registry import Stage
from bench.gpu.stage_process import StageError

# A whole run. A machine with a GPU may be lent for ten minutes a command, and starting takes some of them.
LIMIT_S = 520.0
# A stage that has less time left is not begun.
_LEAST_S = 5.0

# What a stage has given: its rows, and why it gave no more.
StageResult = dict[str, Any]
# Runs a stage for at most so many seconds. Raises StageError.
RunStage = Callable[[Stage, float], Iterator[Row]]


def run_stages(
    stages: Mapping[str, Stage],
    run: RunStage,
    save: Callable[[Mapping[str, StageResult]], None],
    *,
    limit_s: float,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, StageResult]:
    """Runs the stages in their order and returns what each gave. A stage that fails, or that gets no time, does not
    keep the others from running. save: is called with all results after each row and each stage."""
    end_s = clock() + limit_s
    results: dict[str, StageResult] = {}
    for name, stage in stages.items():
        result = results[name] = StageResult(rows=[])
        left_s = end_s - clock()
        try:
            if left_s < _LEAST_S:
                raise StageError(f"not begun: all stages together may take {limit_s:.0f} s")
            for row in run(stage, min(stage.limit_s, left_s)):
                result["rows"].append(row)
                print(f"{name}: {' '.join(f'{key}={value}' for key, value in row.items())}", flush=True)
                save(results)
        except StageError as error:
            print(f"{name}: {error}", flush=True)
            result["error"] = str(error)
        save(results)
    return results


def all_good(results: Mapping[str, StageResult]) -> bool:
    """Whether every stage came to its end, and no number is wrong."""
    return all(
        "error" not in result and all(row.get("good", True) for row in result["rows"]) for result in results.values()
    )
