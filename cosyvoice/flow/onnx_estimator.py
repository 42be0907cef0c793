"""The exported estimator in ONNX Runtime: on TensorRT where that is installed and works, else on CUDA, else on the CPU.

Nothing but the CPU was ever run: TensorRT and CUDA are unmeasured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import Tensor

TENSORRT, CUDA, CPU = "TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"
# The fastest first.
PROVIDERS = (TENSORRT, CUDA, CPU)
INPUTS = ("x", "mu", "t", "spks", "cond", "lengths")
# Rows and frames for which TensorRT builds its engine: the least, the usual and the most. A prompt and 20 s have 1500.
_SIZES = {"min": (1, 8), "opt": (2, 750), "max": (32, 3000)}


class OnnxEstimator:
    """The velocity of `DiT` for whole texts, each row with its own length."""

    def __init__(self, path: Path, tell: Callable[[str], None], providers: Sequence[str] = PROVIDERS) -> None:
        """Takes the first provider that is installed and computes. tell: is told why others are not taken. Raises
        RuntimeError when none works."""
        self.provider, self._session = _first_working(path, tell, providers)

    def __call__(self, *inputs: Tensor) -> Tensor:
        """inputs: those of `WholeTextEstimator`, on the CPU."""
        named = {name: tensor.numpy() for name, tensor in zip(INPUTS, inputs, strict=True)}
        return torch.from_numpy(self._session.run(None, named)[0])


def _first_working(
    path: Path, tell: Callable[[str], None], providers: Sequence[str]
) -> tuple[str, onnxruntime.InferenceSession]:
    installed = [name for name in providers if name in onnxruntime.get_available_providers()]
    for place, name in enumerate(installed):
        try:
            # Operations that a provider does not have go to those after it.
            after = [(other, _options(other, path)) for other in installed[place:]]
            session = onnxruntime.InferenceSession(path, providers=after)
            used = session.get_providers()[0]
            if used != name:  # its libraries are missing: ONNX Runtime goes on without it
                raise RuntimeError(f"ONNX Runtime took {used}")
            session.run(None, dict(_trial(session)))
        except Exception as error:  # ONNX Runtime's errors have no common base
            tell(f"the estimator does not run on {name}: {error}")
            continue
        tell(f"the estimator runs on {name}")
        return name, session
    raise RuntimeError(f"{path}: expected one of {list(providers)} to run it, found that none does")


def _options(provider: str, path: Path) -> dict[str, Any]:
    """What a provider is told. TensorRT builds its engine once for a range of sizes, which takes minutes, and keeps it
    beside the file."""
    if provider != TENSORRT:
        return {}
    shapes = {f"trt_profile_{which}_shapes": _shapes(*size) for which, size in _SIZES.items()}
    return {"trt_engine_cache_enable": True, "trt_engine_cache_path": str(path.parent), **shapes}


def _shapes(rows: int, frames: int) -> str:
    """Of all inputs, as TensorRT's provider reads them. 80 mel bins: the released size."""
    mel = f"{rows}x80x{frames}"
    sizes = {"x": mel, "mu": mel, "t": rows, "spks": f"{rows}x80", "cond": mel, "lengths": rows}
    return ",".join(f"{name}:{size}" for name, size in sizes.items())


def _trial(session: onnxruntime.InferenceSession) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    """Inputs of zeros: one row of few frames."""
    rows, frames = _SIZES["min"]
    for wanted in session.get_inputs():
        size = [{"rows": rows, "frames": frames}.get(axis, axis) for axis in wanted.shape]
        if wanted.name == "lengths":
            yield wanted.name, np.full(size, frames, np.int64)
        else:
            yield wanted.name, np.zeros(size, np.float32)
