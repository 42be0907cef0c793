"""The runbook for a GPU, small and on a CPU: every stage runs, and its checks hold."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from bench.gpu.__main__ import main
from bench.gpu.bench import Bench
from bench.gpu.bench_sizes import BenchSizes
from bench.gpu.registry import STAGES
from bench.gpu.stages import correct, flow_step, vocoder_step
from bench.gpu.talker_stage import talker_step

SMALL = Bench("cpu", BenchSizes.of(small=True))


@pytest.mark.model
def test_the_numbers_are_right() -> None:
    """Packed hops give the mel that they give alone, and pages the mel that blocks give."""
    rows = list(correct(SMALL))
    checked = [row for row in rows if row["what"] in ("packed against alone", "pages against blocks")]
    assert len(checked) == 3 and all(row["good"] for row in checked)


@pytest.mark.model
def test_steps_are_measured_for_each_batch_and_context() -> None:
    """Time of host and device, and the operations: with blocks they grow with the hops, with pages they do not."""
    found = list(flow_step(SMALL))
    assert [row["told"] for row in found if "told" in row] == 2 * [["the flow uses plain PyTorch"]]
    rows = [row for row in found if "told" not in row]
    forms = itertools.product(("bfloat16", "float32"), ("pages", "blocks"), (0, 1), (1, 2))
    assert [(row["dtype"], row["form"], row["context_s"], row["hops"]) for row in rows] == list(forms)
    assert all(row["host_ms"] > 0 and row["device_ms"] > 0 for row in rows)
    one, two = (row["operations"] for row in rows[:2])
    assert one == two
    one, two = (row["operations"] for row in rows[4:6])
    assert one < two


@pytest.mark.model
def test_vocoder_and_sampler_are_measured_for_each_batch() -> None:
    """The sampler's operations do not depend on the rows."""
    rows = list(vocoder_step(SMALL))
    assert [(row["streams"], row["path"]) for row in rows] == [(1, "eager"), (2, "eager")] * 2
    assert all(0 < row["f0_device_ms"] < row["device_ms"] for row in rows)
    one, two = (row["operations"] for row in talker_step(SMALL) if row["what"] == "sampler")
    assert one == two > 50


@pytest.mark.command
def test_a_run_writes_what_it_measured_and_where(tmp_path: Path) -> None:
    """Stages are processes; a stage that fails is in the file with its error, and the others stay."""
    file = tmp_path / "gpu.json"
    assert main(["--small", "--device", "cpu", "--stages", "ceilings", "--json", str(file)]) == 0
    told = json.loads(file.read_text())
    assert (told["kind"], told["device"], told["small"]) == ("measured", "cpu", True)
    assert told["stages"]["ceilings"]["rows"][0]["what"] == "device"
    assert main(["--small", "--device", "nowhere", "--stages", "ceilings", "--json", str(file)]) == 1
    assert json.loads(file.read_text())["stages"]["ceilings"]["error"] == "exit status 1"


def test_all_stages_together_take_less_than_eight_minutes() -> None:
    """Cards are rented by the minute."""
    assert sum(stage.limit_s for stage in STAGES.values()) < 480
