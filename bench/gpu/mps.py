"""NVIDIA's MPS for a measurement: a daemon of our own, which ends with it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rtserver.engine.card.mps import mps_runs

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
        # In the foreground, so that it is ended with the stage's process group if the stage takes too long.
        daemon = subprocess.Popen(
            [_CONTROL, "-f"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            _await(daemon, environment)
            os.environ.update(names)
            yield
        finally:
            for name in names:
                os.environ.pop(name, None)
            if daemon.poll() is None:
                _quit(daemon, environment)


def _await(daemon: subprocess.Popen[bytes], environment: dict[str, str]) -> None:
    """Waits until the daemon takes processes."""
    end_s = time.monotonic() + _PATIENCE_S
    while not mps_runs(environment):
        if daemon.poll() is not None:
            raise MpsUnavailable(f"{_CONTROL}: expected a daemon, found that it ended with status {daemon.returncode}")
        if time.monotonic() > end_s:
            raise MpsUnavailable(f"{_CONTROL}: expected a daemon within {_PATIENCE_S:g} s, found none")
        time.sleep(0.05)


def _quit(daemon: subprocess.Popen[bytes], environment: dict[str, str]) -> None:
    """It ends with the processes that use it. If it does not end, it is killed."""
    try:
        subprocess.run(
            [_CONTROL], input=b"quit\n", env=environment, capture_output=True, check=False, timeout=_PATIENCE_S
        )
        daemon.wait(_PATIENCE_S)
    except (OSError, subprocess.SubprocessError):
        daemon.kill()
        daemon.wait()
