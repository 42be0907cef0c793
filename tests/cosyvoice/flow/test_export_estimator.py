"""The estimator as an ONNX file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cosyvoice.config import DitConfig
from cosyvoice.flow.dit import DiT
from cosyvoice.flow.export_estimator import deviation, export_estimator, inputs_of

pytestmark = pytest.mark.model


def estimator() -> DiT:
    """Small, with weights that are not zero."""
    torch.manual_seed(0)
    made = DiT(DitConfig(64, 2, 2, 32))
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return made


def test_onnx_runtime_computes_what_pytorch_does(tmp_path: Path) -> None:
    """For other numbers of rows and frames than the export saw, in float32. Another estimator differs."""
    pytest.importorskip("onnx")
    made = estimator()
    export_estimator(made, tmp_path / "estimator.onnx")
    assert deviation(made, tmp_path / "estimator.onnx") < 1e-5
    torch.nn.init.normal_(made.proj_out.weight, std=0.05)
    assert deviation(made, tmp_path / "estimator.onnx") > 1e-2


def test_rows_have_different_lengths() -> None:
    """So that a frame which sees the padding would be noticed."""
    inputs = inputs_of(DitConfig(64, 2, 2, 32), 3, 60)
    assert inputs[-1].tolist() == [60, 53, 46]
