"""The lock files: made from pyproject.toml, complete, and free of the machine they were made on."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from environment import locked_names
from lock import sources

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
LOCKS = sorted(sources(PYPROJECT))


def text_of(lock: str) -> str:
    """The text of a lock file."""
    return (ROOT / "requirements" / f"{lock}.txt").read_text("utf-8")


def canonical(requirement: str) -> str:
    """The normal form of the name in a requirement."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name is not None, requirement
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def pins(lock: str) -> set[str]:
    """The `name==version` lines of a lock."""
    return {line.split(" ")[0] for line in text_of(lock).splitlines() if "==" in line and line[0] not in " #"}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_dependency_is_locked(lock: str) -> None:
    """What pyproject.toml names is in its lock, except torch, which is installed apart."""
    declared = {canonical(requirement) for requirement in sources(PYPROJECT)[lock]}
    assert declared - {"torch"} <= locked_names(text_of(lock))


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_hashes(lock: str) -> None:
    """pip refuses a lock of which one package lacks a hash."""
    blocks = re.split(r"\n(?=[a-z0-9])", re.sub(r"(?m)^ *#.*\n?", "", text_of(lock)).strip())
    assert len(blocks) >= len(locked_names(text_of(lock)))
    assert [block for block in blocks if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize("lock", [lock for lock in LOCKS if lock != "cpu"])
def test_locks_agree(lock: str) -> None:
    """A package in several locks has the same version in all, so that one group does not undo another."""
    core = locked_names(text_of("cpu"))
    shared = {pin for pin in pins(lock) if pin.split("==")[0] in core}
    assert shared <= pins("cpu")


def test_the_speaking_command_installs_no_test_tools() -> None:
    """Test tools and listeners are in locks of their own."""
    assert not locked_names(text_of("cpu")) & {"pytest", "hypothesis", "mypy", "ruff", "faster-whisper", "jiwer"}


def test_what_breaks_vllm_is_left_out() -> None:
    """The CUDA builds on PyPI that break `import vllm` beside CPU torch are in no lock."""
    for lock in LOCKS:
        assert not locked_names(text_of(lock)) & {"torch", "torchvision", "torchcodec", "triton"}


def test_torch_is_the_declared_version() -> None:
    """The CPU build is of the version that pyproject.toml asks for."""
    lines = [line.rstrip(" \\") for line in text_of("torch").splitlines() if not line.startswith(("#", " "))]
    declared = [
        requirement for requirement in PYPROJECT["project"]["dependencies"] if canonical(requirement) == "torch"
    ]
    assert lines == [f"{declared[0]}+cpu"]


@pytest.mark.parametrize("lock", LOCKS)
def test_no_index_or_path_in_a_lock(lock: str) -> None:
    """A lock says what, not from where: the user's own index settings hold."""
    assert not re.search(r"(?m)^--|://| /", text_of(lock))


def test_every_package_has_its_hashes() -> None:
    """In each lock, and torch, which is apart from them: nothing is installed that is not what was locked."""
    for name in (*LOCKS, "torch"):
        entries = re.split(r"\n(?=[A-Za-z0-9])", text_of(name))
        pinned = [entry for entry in entries if re.match(r"(?:#.*\n)*[\w.-]+==", entry)]
        assert pinned and all("--hash=sha256:" in entry for entry in pinned), name
