"""Which Python .venv is made with."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from interpreter import COMMANDS, Found, SetupError, candidates, choose, probe

SHIM = Found("python3.12", None)
OLD = Found("python3", (3, 10), "/usr/bin/python3.10", True)
GOOD = Found("python3.11", (3, 11), "/usr/bin/python3.11", True)
BARE = Found("python3.11", (3, 11), "/usr/bin/python3.11", False)


def test_choose_takes_the_first_that_suits() -> None:
    """A command that does not run, one too old and one without venv are passed over."""
    assert choose([SHIM, OLD, BARE, GOOD, Found("python", (3, 12), "/other", True)]) is GOOD


def test_choose_without_any_python() -> None:
    """The message says what is needed and how to get it."""
    with pytest.raises(SetupError, match=r"3\.11 or 3\.12 is needed\. Found: no Python\.\nInstall one"):
        choose([])


def test_choose_lists_what_was_found() -> None:
    """The message names every command that was tried and why it does not do."""
    with pytest.raises(SetupError, match=r"Found: python3\.12 does not run; python3 is Python 3\.10\."):
        choose([SHIM, OLD])


def test_choose_names_the_package_that_lacks() -> None:
    """Where only the venv module lacks, the message names Debian's package for it."""
    with pytest.raises(SetupError, match=r"without the venv module.*\n.*python3\.11-venv\)"):
        choose([BARE, OLD])


def test_a_newer_python_does_not_suit() -> None:
    """The locked packages have no builds for 3.13."""
    assert not Found("python3", (3, 13), "/usr/bin/python3.13", True).suits


def test_candidates() -> None:
    """PYTHON, if set, is the only one tried."""
    assert candidates({}) == COMMANDS
    assert candidates({"PYTHON": ""}) == COMMANDS
    assert candidates({"PYTHON": "/opt/python3.12"}) == ("/opt/python3.12",)


@pytest.mark.command
def test_probe_runs_the_command() -> None:
    """Of a virtual environment's Python the probe tells the one below it: .venv itself may be about to go."""
    found = probe(sys.executable)
    assert found is not None
    assert found.version == sys.version_info[:2]
    assert found.suits
    assert Path(found.executable).parent != Path(sys.prefix) / "bin"


@pytest.mark.command
def test_probe_of_nothing(tmp_path: Path) -> None:
    """A command that does not exist is no candidate."""
    assert probe(str(tmp_path / "python3.11")) is None


@pytest.mark.command
def test_probe_of_a_shim(tmp_path: Path) -> None:
    """A command that is there but fails, as pyenv's shims do, is told apart from none."""
    shim = tmp_path / "python3.11"
    shim.write_text("#!/bin/sh\necho 'pyenv: python3.11: command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    assert probe(str(shim)) == Found(str(shim), None)
