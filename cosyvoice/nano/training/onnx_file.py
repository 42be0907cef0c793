"""Writes trained networks as ONNX files."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

_OPSET = 17


def write_onnx(
    network: nn.Module,
    path: Path,
    examples: Mapping[str, Tensor],
    output: str,
    lengths: Mapping[str, Sequence[int]],
) -> None:
    """Traces `network` with example inputs by name. lengths: the axes of inputs and output whose size is free."""
    with warnings.catch_warnings():
        # The newer exporter needs packages of its own, and these networks are plain enough for a trace.
        warnings.filterwarnings("ignore", "You are using the legacy TorchScript-based ONNX export", DeprecationWarning)
        warnings.filterwarnings("ignore", "The feature will be removed", DeprecationWarning)
        torch.onnx.export(
            network.eval(),
            tuple(examples.values()),
            str(path),
            input_names=list(examples),
            output_names=[output],
            dynamic_axes={name: {axis: f"{name}_{axis}" for axis in axes} for name, axes in lengths.items()},
            opset_version=_OPSET,
            dynamo=False,
        )
