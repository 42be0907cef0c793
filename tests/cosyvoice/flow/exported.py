"""Exports a small estimator and runs it in ONNX Runtime: `test_export_estimator.py` starts this where `onnx` is.

Prints one JSON object.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

from cosyvoice.flow.export_estimator import deviation, export_estimator, mel_deviation
from cosyvoice.flow.flow import Flow
from cosyvoice.flow.onnx_estimator import OnnxEstimator
from tests.cosyvoice.flow.speaking import SMALL


def main(folder: Path) -> None:
    """The deviations of an exported estimator, and that of another one's file."""
    torch.manual_seed(0)
    flow = Flow(SMALL).requires_grad_(False)
    for parameter in flow.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    file, told = folder / "estimator.onnx", list[str]()
    export_estimator(flow.decoder.estimator, file)
    velocity = OnnxEstimator(file, told.append)
    found = {
        "told": told,
        "velocity": deviation(flow.decoder.estimator, velocity),
        "mel": mel_deviation(flow, velocity),
    }
    torch.nn.init.normal_(flow.decoder.estimator.proj_out.weight, std=0.05)
    found["another"] = deviation(flow.decoder.estimator, velocity)
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
