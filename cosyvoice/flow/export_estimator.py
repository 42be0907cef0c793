"""Exports the flow's estimator for whole texts to ONNX, and checks the file with ONNX Runtime.

    python -m cosyvoice.flow.export_estimator MODEL -o estimator.onnx
    python -m cosyvoice.flow.export_estimator MODEL -o estimator.onnx --providers tensorrt cuda cpu

It needs the package `onnx`. The file is what TensorRT reads. Every frame sees all frames up to its row's length, and
nothing is kept between calls: so it is for whole texts and cannot stream. The check compares velocities, and the mels
of two texts, with PyTorch's, on the first of the providers that works. The server does not use the file, and its speed
was never measured.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from cosyvoice.checkpoint import FLOW_FILES, find_file, load_module, load_state
from cosyvoice.config import DitConfig, ModelConfig
from cosyvoice.errors import CosyVoiceError
from cosyvoice.flow.dit import DiT
from cosyvoice.flow.flow import Flow
from cosyvoice.flow.onnx_estimator import INPUTS, PROVIDERS, OnnxEstimator
from cosyvoice.flow.whole_texts import Velocity, WholeText, whole_text_mels
from cosyvoice.models import resolve_model

# The velocity's largest deviation from PyTorch's, in float32.
TOLERANCE = 1e-4
# The mel's, after all Euler steps.
MEL_TOLERANCE = 1e-3
_OPSET = 18
# Rows and frames of the checks. Neither is what the export saw.
_CHECKS = ((1, 50), (4, 131))
# Speech tokens of the prompt and of the texts whose mels are compared.
_PROMPT_TOKENS, _TEXT_TOKENS = 10, (40, 25)
_SHORT = {name.removesuffix("ExecutionProvider").lower(): name for name in PROVIDERS}


class WholeTextEstimator(nn.Module):
    """The velocity of `DiT` for rows of different lengths, with all inputs by their places."""

    def __init__(self, estimator: DiT) -> None:
        super().__init__()
        self.estimator = estimator

    def forward(self, x: Tensor, mu: Tensor, t: Tensor, spks: Tensor, cond: Tensor, lengths: Tensor) -> Tensor:
        """As `DiT.forward`. lengths: [rows] int64; no frame sees those after its row's length."""
        velocity: Tensor = self.estimator(x, mu, t, spks, cond, lengths=lengths)
        return velocity


def export_estimator(estimator: DiT, path: Path) -> None:
    """Writes the file. Rows and frames may have any number."""
    frames = {0: "rows", 2: "frames"}
    axes = {name: {0: "rows"} for name in INPUTS} | dict.fromkeys(("x", "mu", "cond", "velocity"), frames)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # this exporter is deprecated; the other one needs onnxscript
        torch.onnx.export(
            WholeTextEstimator(estimator).eval(),
            inputs_of(estimator.config, 2, 60),
            path,
            dynamo=False,
            opset_version=_OPSET,
            input_names=list(INPUTS),
            output_names=["velocity"],
            dynamic_axes=axes,
        )


@torch.inference_mode()
def deviation(estimator: DiT, velocity: Velocity) -> float:
    """The largest difference of a velocity from PyTorch's on random inputs, in frames that are not padding."""
    whole, most = WholeTextEstimator(estimator).eval(), 0.0
    for rows, frames in _CHECKS:
        inputs = inputs_of(estimator.config, rows, frames)
        found, expected = velocity(*inputs), whole(*inputs)
        for row, length in enumerate(inputs[-1].tolist()):
            most = max(most, float((found - expected)[row, :, :length].abs().max()))
    return most


def mel_deviation(flow: Flow, velocity: Velocity) -> float:
    """The largest difference in the mels of two texts of different lengths, after a prompt."""
    config, generator = flow.config, torch.Generator().manual_seed(0)
    prompt = torch.randn(2 * _PROMPT_TOKENS, config.mel_bins, generator=generator)
    speaker = torch.randn(config.spk_embed_dim, generator=generator)
    tokens = torch.randint(config.vocab, (max(_TEXT_TOKENS),), generator=generator).tolist()
    texts = [WholeText(tokens[:count], tokens[:_PROMPT_TOKENS], prompt, speaker) for count in _TEXT_TOKENS]
    expected = whole_text_mels(flow, WholeTextEstimator(flow.decoder.estimator).eval(), texts)
    found = whole_text_mels(flow, velocity, texts)
    return max(float((a - b).abs().max()) for a, b in zip(found, expected, strict=True))


def inputs_of(config: DitConfig, rows: int, frames: int) -> tuple[Tensor, ...]:
    """Random inputs, each row shorter than the one before."""
    generator = torch.Generator().manual_seed(frames)
    mels = [torch.randn(rows, config.mel_bins, frames, generator=generator) for _ in range(3)]
    times, speakers = torch.rand(rows, generator=generator), torch.randn(rows, config.spk_dim, generator=generator)
    lengths = frames - 7 * torch.arange(rows)
    return mels[0], mels[1], times, speakers, mels[2], lengths


def options() -> argparse.ArgumentParser:
    """Of the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="model directory, or nano")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument(
        "--providers", nargs="+", choices=_SHORT, default=["cpu"], help="of ONNX Runtime, for the check (default: cpu)"
    )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Exports, checks, and prints the deviation. Exit status 1: it is too large, or the model cannot be read."""
    args = options().parse_args(arguments)
    try:
        directory = resolve_model(args.model)
        flow = Flow(ModelConfig.load(directory).flow)
        path = find_file(directory, FLOW_FILES)
        load_module(path, flow, load_state(path))
    except CosyVoiceError as error:
        print(error, file=sys.stderr)
        return 1
    export_estimator(flow.decoder.estimator, args.output)
    velocity = OnnxEstimator(args.output, print, [_SHORT[name] for name in args.providers])
    found, mel = deviation(flow.decoder.estimator, velocity), mel_deviation(flow, velocity)
    good = found <= TOLERANCE and mel <= MEL_TOLERANCE
    expected = "" if good else f", expected {TOLERANCE:g} and {MEL_TOLERANCE:g}"
    print(f"{args.output}: differs from PyTorch by {found:.1e} at most, and its mels by {mel:.1e}{expected}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
