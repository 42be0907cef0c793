"""Python environments with the packages of other makers, and programs that run in them.

Each set of packages has a file in `requirements/` and an environment of its own in `.venv-clients/`. It is made when a
test first needs it, and made anew when the file changes. A program of `programs/` runs in it, gets the server's URL as
its first argument, and prints one JSON value: what it heard. Our own packages come from this checkout.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients_real.finished import Finished, run_to_its_end

_HERE = Path(__file__).parent
_ENVIRONMENTS = _HERE.parents[1] / ".venv-clients"
_CLIENTS = _HERE.parents[1] / "clients"
OWN_PACKAGES = [_CLIENTS, _CLIENTS / "pipecat-rtserver", _CLIENTS / "livekit-plugins-rtserver"]
_READY = "ready"  # the file that says that an environment is complete
# What pip prints where it cannot reach a registry. Any other failure of an installation fails the test.
_UNREACHABLE = (
    "Failed to establish a new connection",
    "Temporary failure in name resolution",
    "Network is unreachable",
    "Connection refused",
    "ConnectTimeoutError",
    "ProxyError",
)
# Packages that tell their makers how they are used are asked not to.
_QUIET = {"DO_NOT_TRACK": "1", "PYTHONWARNINGS": "ignore", "PYTHONUNBUFFERED": "1"}


def environment(name: str) -> Path:
    """The interpreter of the environment with `requirements/NAME.txt`. Skips the test if no registry can be reached."""
    requirements = _HERE / "requirements" / f"{name}.txt"
    digest = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:12]
    directory = _ENVIRONMENTS / f"{name}-{digest}"
    _ENVIRONMENTS.mkdir(exist_ok=True)
    with (_ENVIRONMENTS / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / _READY).exists():
            _forget_older(name)
            _install(directory, requirements)
    return directory / "bin" / "python"


async def run_program(name: str, program: str, *arguments: str, timeout_s: float = 60.0) -> Finished:
    """Runs `programs/PROGRAM.py` in the environment of that name."""
    python = await asyncio.to_thread(environment, name)
    path = _HERE / "programs" / f"{program}.py"
    return await run_to_its_end(python, path, *arguments, environ=surroundings(), timeout_s=timeout_s)


def surroundings() -> dict[str, str]:
    """The environment variables of a program."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")} | _QUIET
    return environ | {"PYTHONPATH": os.pathsep.join(map(str, OWN_PACKAGES))}


def _forget_older(name: str) -> None:
    for old in _ENVIRONMENTS.glob(f"{name}-{12 * '[0-9a-f]'}"):
        shutil.rmtree(old)


def _install(directory: Path, requirements: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", directory], check=True)
    python = str(directory / "bin" / "python")
    command = [python, "-m", "pip", "install", "--quiet", "--retries=1", "-r", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        shutil.rmtree(directory)
        if any(sign in done.stderr for sign in _UNREACHABLE):
            pytest.skip(f"{requirements.name}: the package registry cannot be reached")
        raise AssertionError(f"{requirements.name} cannot be installed:\n{done.stderr[-3000:]}")
    (directory / _READY).touch()
