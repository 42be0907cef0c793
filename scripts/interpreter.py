"""Finds the Python for .venv. Like the whole set-up it runs under Python 3.8 and later, so that it can tell the user of
an old Python what to do."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SUPPORTED = ((3, 11), (3, 12))
# In order of preference. The tests run on 3.11.
COMMANDS = ("python3.11", "python3.12", "python3", "python")

_PROBE = """
import importlib.util, json, sys
print(json.dumps({
    "version": sys.version_info[:2],
    "executable": getattr(sys, "_base_executable", sys.executable),
    "makes_venvs": all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")),
}))
"""


class SetupError(Exception):
    """The set-up cannot go on. The message says why and what to do."""


@dataclass(frozen=True)
class Found:
    """A command and the Python that it runs."""

    command: str
    # None for a command that exists but does not run.
    version: tuple[int, int] | None
    executable: str = ""
    # Whether it has the modules that make virtual environments.
    makes_venvs: bool = False

    @property
    def suits(self) -> bool:
        return self.version in SUPPORTED and self.makes_venvs

    def __str__(self) -> str:
        if self.version is None:
            return f"{self.command} does not run"
        text = f"{self.command} is Python {self.version[0]}.{self.version[1]}"
        if self.version in SUPPORTED and not self.makes_venvs:
            text += " without the venv module"
        return text


def candidates(environ: Mapping[str, str]) -> Sequence[str]:
    """The commands to try: the one in the environment variable PYTHON, else the usual ones."""
    return (environ["PYTHON"],) if environ.get("PYTHON") else COMMANDS


def probe(command: str) -> Found | None:
    """Runs `command`. None if it does not exist. (A pyenv shim may exist and still fail to run.)"""
    try:
        result = subprocess.run([command, "-I", "-c", _PROBE], capture_output=True, text=True, timeout=30, check=True)
        facts = json.loads(result.stdout)
    except (FileNotFoundError, PermissionError):
        return None
    except (subprocess.SubprocessError, OSError, ValueError):
        return Found(command, None)
    major, minor = facts["version"]
    return Found(command, (major, minor), facts["executable"], facts["makes_venvs"])


def choose(found: Sequence[Found]) -> Found:
    """The first suitable Python. Raises a SetupError that lists what was found and says how to get one."""
    for python in found:
        if python.suits:
            return python
    versions = " or ".join(f"{major}.{minor}" for major, minor in SUPPORTED)
    lines = [f"Python {versions} is needed. Found: {'; '.join(map(str, found)) or 'no Python'}."]
    lacking = [python.version for python in found if python.version in SUPPORTED]
    if lacking and lacking[0] is not None:
        major, minor = lacking[0]
        lines.append(f"Add the module (Debian, Ubuntu: apt install python{major}.{minor}-venv),")
    else:
        lines.append("Install one (Debian, Ubuntu: apt install python3.11 python3.11-venv; pyenv: pyenv install 3.11),")
    lines.append("or name one that is not on PATH: PYTHON=/path/to/python3.11 before the same command.")
    raise SetupError("\n".join(lines))
