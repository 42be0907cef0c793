"""Which of ONNX Runtime's providers runs the estimator: with a stand-in for its sessions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from cosyvoice.flow.onnx_estimator import CPU, CUDA, INPUTS, PROVIDERS, TENSORRT, OnnxEstimator

FILE = Path("folder/estimator.onnx")
MEL, ROW = ["rows", 80, "frames"], ["rows"]
SHAPES = {"x": MEL, "mu": MEL, "t": ROW, "spks": ["rows", 80], "cond": MEL, "lengths": ROW}


class Session:
    """As onnxruntime.InferenceSession. Providers of `missing` have no libraries, those of `broken` cannot compute."""

    missing: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    made: ClassVar[list[Session]]

    def __init__(self, path: Path, providers: Sequence[tuple[str, dict[str, Any]]]) -> None:
        assert path == FILE
        self.options = dict(providers)
        self.names = [name for name, _ in providers if name not in self.missing]
        self.runs: list[dict[str, np.ndarray[Any, Any]]] = []
        self.made.append(self)

    def get_providers(self) -> list[str]:
        return self.names

    def get_inputs(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name=name, shape=shape) for name, shape in SHAPES.items()]

    def run(self, outputs: None, inputs: dict[str, np.ndarray[Any, Any]]) -> list[np.ndarray[Any, Any]]:
        if self.names[0] in self.broken:
            raise ValueError("no kernel image")
        self.runs.append(inputs)
        return [inputs["x"] + 1]


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> type[Session]:
    """ONNX Runtime with all three providers."""

    class Installed(Session):
        made: ClassVar[list[Session]] = []

    monkeypatch.setattr("onnxruntime.InferenceSession", Installed)
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: [*PROVIDERS, "AzureExecutionProvider"])
    return Installed


def opened(providers: Sequence[str] = PROVIDERS) -> tuple[OnnxEstimator, list[str]]:
    """An estimator, and what it told."""
    told = list[str]()
    return OnnxEstimator(FILE, told.append, providers), told


def test_tensorrt_comes_first_and_builds_one_engine_for_all_sizes(runtime: type[Session]) -> None:
    """It keeps it beside the file. The others take what it does not have."""
    estimator, told = opened()
    assert estimator.provider == TENSORRT and told == [f"the estimator runs on {TENSORRT}"]
    (session,) = runtime.made
    assert list(session.options) == list(PROVIDERS) and session.options[CUDA] == {}
    options = session.options[TENSORRT]
    assert options["trt_engine_cache_enable"] and options["trt_engine_cache_path"] == "folder"
    most = options["trt_profile_max_shapes"]
    assert most == "x:32x80x3000,mu:32x80x3000,t:32,spks:32x80,cond:32x80x3000,lengths:32"
    assert [name.split(":")[0] for name in most.split(",")] == list(INPUTS)


def test_what_has_no_libraries_or_cannot_compute_is_told_and_not_taken(runtime: type[Session]) -> None:
    """The next one is."""
    runtime.missing, runtime.broken = (TENSORRT,), (CUDA,)
    estimator, told = opened()
    assert estimator.provider == CPU
    assert told == [
        f"the estimator does not run on {TENSORRT}: ONNX Runtime took {CUDA}",
        f"the estimator does not run on {CUDA}: no kernel image",
        f"the estimator runs on {CPU}",
    ]


def test_only_what_is_wanted_and_installed_is_tried(runtime: type[Session], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where none of these works, that is an error."""
    assert opened([CUDA])[0].provider == CUDA
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: [CPU])
    assert opened()[0].provider == CPU
    with pytest.raises(RuntimeError, match=r"expected one of \['CUDAExecutionProvider'\]"):
        opened([CUDA])


def test_inputs_go_in_by_name(runtime: type[Session]) -> None:
    """After a trial with one short row of zeros."""
    estimator, _ = opened([CPU])
    inputs = [torch.full((2, 3), float(place)) for place, _ in enumerate(INPUTS)]
    assert estimator(*inputs).tolist() == [[1, 1, 1]] * 2
    trial, run = runtime.made[0].runs
    assert trial["mu"].shape == (1, 80, 8) and trial["lengths"].tolist() == [8]
    assert [float(run[name][0, 0]) for name in INPUTS] == [0, 1, 2, 3, 4, 5]
