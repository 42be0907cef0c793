"""NVIDIA's MPS for a measurement: a daemon of our own, which ends with it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_CONTROL = "nvidia-cuda-mps-control"
_PATIENCE_S = 10.0


class MpsUnavailable(RuntimeError):
    """There is no MPS here, or it may not be started."""


@contextmanager
def mps() -> Iterator[None]:
    """Processes that start meanwhile use the GPU side by side. Raises MpsUnavailable."""
    if shutil.which(_CONTROL) is None:
        raise MpsUnavailable(f"{_CONTROL}: expected the program, found none")
    with tempfile.TemporaryDirectory() as folder:
        names = {"CUDA_MPS_PIPE_DIRECTORY": folder, "CUDA_MPS_LOG_DIRECTORY": folder}
        environment = os.environ | names
        _control(["-d"], "", environment)
        os.environ.update(names)
        try:
            yield
        finally:
            for name in names:
                del os.environ[name]
            _control([], "quit\n", environment)


def _control(arguments: list[str], words: str, environment: dict[str, str]) -> None:
    try:
        subprocess.run(
            [_CONTROL, *arguments],
            input=words,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=_PATIENCE_S,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise MpsUnavailable(f"{_CONTROL}: {error}") from error
