"""NVIDIA's Multi-Process Service: whether talker and acoustic process use the GPU side by side, or take turns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_DEFAULT_PIPES = "/tmp/nvidia-mps"


def mps_runs(environment: Mapping[str, str]) -> bool:
    """Whether the daemon of MPS takes the processes with this environment."""
    return (Path(environment.get("CUDA_MPS_PIPE_DIRECTORY", _DEFAULT_PIPES)) / "control").exists()


def sharing_words(*, mps: bool) -> str:
    """For the one who starts the server."""
    if mps:
        return "MPS runs: talker and flow use the GPU side by side"
    return (
        "MPS does not run: talker and flow take turns on the GPU, and each waits for the other. "
        "docs/gpu.md says how to start it"
    )
