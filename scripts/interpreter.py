"""Finds the Python that .venv is made with. Like all of the set-up it runs under Python 3.8 and later, to tell the
user of an old one what to do."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SUPPORTED = ((3, 11), (3, 12))
# In order of preference: 3.11 is what the tests run on.
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
    """What running one command told. `version` is None for a command that is there but does not run."""

    command: str
    version: tuple[int, int] | None
    executable: str = ""
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
    """The commands to try: the one that PYTHON names, if set, else the usual ones."""
    return (environ["PYTHON"],) if environ.get("PYTHON") else COMMANDS


def probe(command: str) -> Found | None:
    """Runs `command`. None: there is no such command. A pyenv shim, for one, exists and fails when run."""
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
    """The first that suits. Raises SetupError that lists what was found and how to get a Python that suits."""
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
