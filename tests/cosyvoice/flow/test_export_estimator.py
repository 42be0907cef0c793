"""The estimator as an ONNX file. The package `onnx` is in an environment of its own, which sees those of this one."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
from pathlib import Path

import pytest

from cosyvoice.config import DitConfig
from cosyvoice.flow.export_estimator import inputs_of
from tests.clients_real.environment import environment

_ROOT = Path(__file__).parents[3]


@pytest.mark.clients
def test_onnx_runtime_computes_what_pytorch_does(tmp_path: Path) -> None:
    """For other numbers of rows and frames than the export saw, in float32; velocities, and mels of texts of different
    lengths. Another estimator differs."""
    path = os.pathsep.join([str(_ROOT), sysconfig.get_path("purelib")])
    done = subprocess.run(
        [environment("onnx"), Path(__file__).with_name("exported.py"), tmp_path],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert found["told"] == ["the estimator runs on CPUExecutionProvider"]
    assert found["velocity"] < 1e-5 and found["mel"] < 1e-5
    assert found["another"] > 1e-2


def test_rows_have_different_lengths() -> None:
    """So that a frame which sees the padding would be noticed."""
    inputs = inputs_of(DitConfig(64, 2, 2, 32), 3, 60)
    assert inputs[-1].tolist() == [60, 53, 46]
