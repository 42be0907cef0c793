"""The whole runbook, small and on a CPU, with no packages but those that it says it needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.gpu import costs
from bench.gpu.registry import STAGES
from bench.simulator.cost_table import CostTable

pytestmark = pytest.mark.engine

_ROOT = Path(__file__).resolve().parents[2]

# What the project needs elsewhere, and the runbook does not.
_ABSENT = (
    "vllm", "msgspec", "soundfile", "av", "opuslib", "soxr", "torchaudio", "wetext", "inflect", "num2words", "misaki",
    "hibari_tts", "cn2an", "jieba", "pypinyin", "prometheus_client", "websockets",
)  # fmt: skip
_BLOCKER = f"""
import sys
from importlib.machinery import PathFinder

class Installed(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in {_ABSENT} else super().find_spec(name, path, target)

sys.meta_path[:] = [Installed if finder is PathFinder else finder for finder in sys.meta_path]
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The result of one run."""
    folder = tmp_path_factory.mktemp("runbook")
    (folder / "sitecustomize.py").write_text(_BLOCKER)
    command = [sys.executable, "-m", "bench.gpu", "--small", "--device", "cpu", "--json", str(folder / "small.json")]
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    run = subprocess.run(
        command, cwd=_ROOT, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=480
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return folder / "small.json"


@pytest.fixture(scope="module")
def stages(file: Path) -> dict[str, Any]:
    """The rows of each stage."""
    return {name: stage["rows"] for name, stage in json.loads(file.read_text())["stages"].items()}


def test_every_stage_runs_without_vllm_and_msgspec(stages: dict[str, Any]) -> None:
    """Also the one with the whole engine."""
    assert list(stages) == list(STAGES)
    assert all(stages.values())


def test_the_talker_is_labelled_as_a_stand_in(stages: dict[str, Any]) -> None:
    """In each row of the stages that have a talker."""
    for name in ("talker_step", "engine"):
        assert {row["talker"] for row in stages[name]} == {"stand-in"}
    whats = {(row["rows"], row["what"]) for row in stages["talker_step"]}
    assert whats == {(rows, what) for rows in (1, 2) for what in ("step", "body", "sampler", "begin")}


def test_every_listener_hears_the_whole_text(stages: dict[str, Any]) -> None:
    """A text without a prompt of its own gives 20 speech tokens an id, .8 s."""
    rows = [row for row in stages["engine"] if row["what"] == "speech"]
    assert [row["streams"] for row in rows] == [1, 2]
    assert all(row["audio_s"] == pytest.approx(row["streams"] * 3 * 0.8, abs=0.1) for row in rows)
    assert all(0 < row["ttfa_p50_ms"] <= row["ttfa_p95_ms"] for row in rows)


def test_talker_and_flow_are_measured_alone_and_together(stages: dict[str, Any]) -> None:
    """Two processes and one; MPS is for a GPU."""
    ways = [(row["how"], row["beside"], row["part"]) for row in stages["together"]]
    beside = (("two processes", False), ("two processes", True), ("one process", True))
    assert ways == [(*way, part) for way in beside for part in ("talker", "flow")]
    assert all(0 < row["p50_ms"] <= row["p95_ms"] for row in stages["together"])


def test_the_result_becomes_a_table_of_the_simulator(file: Path, tmp_path: Path) -> None:
    """Measured costs, each with the stage that it comes from."""
    made = tmp_path / "table.json"
    assert costs.main([str(file), "--name", "small, on a CPU", "-o", str(made)]) == 0
    table = CostTable.load(made)
    assert (table.kind, table.device, table.euler_steps) == ("measured", "cpu", 2)
    assert table.step_s + table.frame_s > 0 and table.vocoder_s + table.vocoder_frame_s > 0
    assert table.talker_step_s + table.talker_stream_s > 0
    assert table.withheld_s == pytest.approx(0.1)
    sources = {name: cost["source"] for name, cost in json.loads(made.read_text())["costs"].items()}
    assert all("measured, flow_step" in sources[name] for name in ("step_s", "frame_s", "row_context_s"))
    assert "stand-in" in sources["talker_step_s"]
