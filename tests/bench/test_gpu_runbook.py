"""The whole runbook, small and on a CPU, with no packages but those that it says it needs."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from bench.gpu import costs
from bench.gpu.mps import MpsUnavailable, mps
from bench.gpu.registry import STAGES
from bench.simulator.cost_table import CostTable
from rtserver.engine.card.mps import mps_runs

pytestmark = pytest.mark.gpu_small

_ROOT = Path(__file__).resolve().parents[2]

# What the project needs elsewhere, and the runbook does not.
_ABSENT = (
    "vllm", "msgspec", "soundfile", "av", "opuslib", "soxr", "torchaudio", "wetext", "num2words", "misaki",
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


def test_the_numbers_are_right(stages: dict[str, Any]) -> None:
    """Packed hops give the mel that they give alone, and pages the mel that blocks give."""
    checked = [row for row in stages["correct"] if row["what"] in ("packed against alone", "pages against blocks")]
    assert len(checked) == 3 and all(row["good"] for row in checked)


def test_steps_are_measured_for_each_batch_and_context(stages: dict[str, Any]) -> None:
    """Time of host and device, and the operations: with blocks they grow with the hops, with pages they do not."""
    told = [row["told"] for row in stages["flow_step"] if "told" in row]
    assert told == 2 * [["the flow uses plain PyTorch"]]
    rows = [row for row in stages["flow_step"] if "told" not in row]
    forms = itertools.product(("pages", "blocks"), ("bfloat16", "float32"), (0, 1), (1, 2))
    assert [(row["form"], row["dtype"], row["context_s"], row["hops"]) for row in rows] == list(forms)
    assert all(row["host_ms"] > 0 and row["device_ms"] > 0 for row in rows)
    one, two = (row["operations"] for row in rows[:2])
    assert one == two
    one, two = (row["operations"] for row in rows[8:10])
    assert one < two


def test_vocoder_and_sampler_are_measured_for_each_batch(stages: dict[str, Any]) -> None:
    """The sampler's operations do not depend on the rows."""
    rows = stages["vocoder_step"]
    assert [(row["streams"], row["path"]) for row in rows] == [(1, "eager"), (2, "eager")] * 2
    assert all(0 < row["f0_device_ms"] < row["device_ms"] for row in rows)
    one, two = (row["operations"] for row in stages["talker_step"] if row["what"] == "sampler")
    assert one == two > 50


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


def test_a_stage_that_fails_is_in_the_file_with_its_error(tmp_path: Path) -> None:
    """Here both, because there is no such device. The other one is run all the same."""
    file = tmp_path / "gpu.json"
    arguments = ["--small", "--device", "nowhere", "--stages", "ceilings", "correct", "--json", str(file)]
    run = subprocess.run([sys.executable, "-m", "bench.gpu", *arguments], cwd=_ROOT, capture_output=True, text=True)
    assert run.returncode == 1 and "nowhere" in run.stderr
    told = json.loads(file.read_text())
    assert (told["kind"], told["device"], told["small"]) == ("measured", "nowhere", True)
    assert [stage["error"] for stage in told["stages"].values()] == 2 * ["exit status 1"]
    assert told["stages"]["correct"]["rows"] == []


_ENDLESS = """
import multiprocessing, sys, time
from bench.gpu.stage_process import StageError, stage_rows

def endless(bench):
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,), daemon=True)
    child.start()
    yield {"child": child.pid}
    time.sleep(600)

try:
    for row in stage_rows(endless, None, 0.5):
        print(row["child"])
except StageError as error:
    print(error)
"""


def test_a_stage_that_does_not_end_is_ended_with_its_processes() -> None:
    """What it has given before stays."""
    run = subprocess.run([sys.executable, "-c", _ENDLESS], cwd=_ROOT, capture_output=True, text=True, check=True)
    child, error = run.stdout.splitlines()
    assert error == "not done within 0.5 s"
    assert not psutil.pid_exists(int(child)) or psutil.Process(int(child)).status() == psutil.STATUS_ZOMBIE


_DAEMON = """#!/bin/sh
echo "$1" >> "$CALLS"
case "$1" in
-f) touch "$CUDA_MPS_PIPE_DIRECTORY/control"; exec sleep 60 ;;
*) read word; echo "$word" >> "$CALLS"; kill "$(cat "$PID")" ;;
esac
"""


def test_the_daemon_of_mps_ends_with_the_measurement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in for NVIDIA's program. Processes that start meanwhile find its pipes."""
    program, calls, pid = tmp_path / "nvidia-cuda-mps-control", tmp_path / "calls", tmp_path / "pid"
    program.write_text(_DAEMON.replace("-f) ", '-f) echo $$ > "$PID"; '))
    program.chmod(0o755)
    for name, value in (("PATH", f"{tmp_path}:{os.environ['PATH']}"), ("CALLS", str(calls)), ("PID", str(pid))):
        monkeypatch.setenv(name, value)
    with mps():
        assert mps_runs(os.environ)
    assert not mps_runs(os.environ) and calls.read_text().split() == ["-f", "quit"]
    assert not psutil.pid_exists(int(pid.read_text()))


def test_without_mps_the_reason_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No program, or one that ends at once."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MpsUnavailable, match="expected the program"), mps():
        pass
    program = tmp_path / "nvidia-cuda-mps-control"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    with pytest.raises(MpsUnavailable, match="status 3"), mps():
        pass
