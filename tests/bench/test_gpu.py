"""The order of the runbook for a GPU: its limits, and what stays of stages that fail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from bench.gpu.bench import Row
from bench.gpu.registry import STAGES, Stage
from bench.gpu.runbook import LIMIT_S, all_good, run_stages
from bench.gpu.stage_process import StageError


class Card:
    """Stages of one row a second, on a clock of its own."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.limits_s: list[float] = []
        self.saved: list[str] = []

    def clock(self) -> float:
        return self.now_s

    def save(self, results: Any) -> None:
        self.saved.append(json.dumps(results))

    def run(self, stage: Stage, limit_s: float) -> Iterator[Row]:
        """vllm_s: how many rows it would give."""
        self.limits_s.append(limit_s)
        for number in range(int(stage.vllm_s)):
            if number >= limit_s:
                raise StageError("not done")
            self.now_s += 1.0
            yield {"number": number}


def stage(limit_s: float, rows: int) -> Stage:
    """A stage for `Card`."""
    return Stage(lambda bench: iter(()), limit_s, vllm_s=rows)


def run(card: Card, stages: dict[str, Stage], limit_s: float) -> dict[str, Any]:
    """All stages."""
    return run_stages(stages, card.run, card.save, limit_s=limit_s, clock=card.clock)


def test_each_row_is_kept_at_once() -> None:
    """And once more at the end of each stage, also where it has none."""
    card = Card()
    found = run(card, {"one": stage(10, 2), "two": stage(10, 0)}, 100)
    assert found == {"one": {"rows": [{"number": 0}, {"number": 1}]}, "two": {"rows": []}}
    assert [len(json.loads(saved).get("one", {}).get("rows", [])) for saved in card.saved] == [1, 2, 2, 2]
    assert all_good(found)


def test_a_stage_that_is_too_slow_keeps_its_rows_and_the_others_run() -> None:
    """Its error says why it has no more."""
    card = Card()
    found = run(card, {"slow": stage(3, 9), "next": stage(10, 1)}, 100)
    assert len(found["slow"]["rows"]) == 3 and found["slow"]["error"] == "not done"
    assert found["next"] == {"rows": [{"number": 0}]}
    assert not all_good(found)


def test_all_stages_share_one_limit() -> None:
    """The last stage gets what is left; one that would have less than 5 s is not begun."""
    card = Card()
    found = run(card, {"one": stage(50, 20), "two": stage(50, 50), "three": stage(50, 1)}, 60)
    assert card.limits_s == [50, 40] and card.now_s == 60
    assert found["three"] == {"rows": [], "error": "not begun: all stages together may take 60 s"}


def test_a_wrong_number_is_not_good() -> None:
    """Rows say so themselves."""
    assert not all_good({"correct": {"rows": [{"good": True}, {"good": False}]}})


@pytest.mark.parametrize("vllm", [False, True])
def test_the_whole_runbook_ends_within_nine_minutes(vllm: bool) -> None:
    """With vLLM too: then the last stage, its start with the whole engine, has at least 90 s."""
    assert LIMIT_S + 10 < 540
    *others, (last, _) = ((name, stage.limit_s + stage.vllm_s * vllm) for name, stage in STAGES.items())
    assert last == "engine"
    assert sum(limit_s for _, limit_s in others) <= LIMIT_S - 90
