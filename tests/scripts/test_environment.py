"""The virtual environment: repair, torch's two sources, and what is checked before anything is fetched."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from environment import PYTORCH_INDEX, Environment, check_disk, check_platform, locked_names
from installer import Pip, PipError
from interpreter import SetupError


class ScriptedPip(Pip):
    """Records installations and fails as told."""

    def __init__(self, failures: Sequence[PipError | None]) -> None:
        self.failures, self.calls = list(failures), list[tuple[str, ...]]()

    def install(self, *arguments: str, packages: int) -> None:
        """Fails with the next of `failures`."""
        self.calls.append(arguments)
        failure = self.failures.pop(0)
        if failure is not None:
            raise failure


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """An environment that is not there yet."""
    return Environment(tmp_path, lambda line: None)


def site_packages(environment: Environment) -> Path:
    """Its folder of packages, made."""
    folder = environment.folder / "lib" / "python3.11" / "site-packages"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.command
def test_absent_environment(environment: Environment) -> None:
    """Without .venv there is no version and nothing works."""
    assert environment.version == ""
    assert not environment.works()


@pytest.mark.command
def test_half_made_environment(environment: Environment) -> None:
    """A .venv with a Python but no pip, as an interrupted `venv` leaves it, does not work."""
    environment.python.parent.mkdir(parents=True)
    environment.python.write_text('#!/bin/sh\ncase "$*" in *pip*) exit 1;; *) echo 3.11;; esac\n')
    environment.python.chmod(0o755)
    assert environment.version == "3.11"
    assert not environment.works()


def test_repair(environment: Environment) -> None:
    """Half-installed and half-removed packages and temporary files go; whole packages stay."""
    packages = site_packages(environment)
    for name in ("whole-1.0.dist-info", "half-2.0.dist-info", "~emoved-3.0.dist-info", "whole", "half"):
        (packages / name).mkdir()
    (packages / "whole-1.0.dist-info" / "RECORD").touch()
    (packages / "~odule.py").touch()
    (environment.temporary / "pip-unpack-1").mkdir(parents=True)
    assert environment.repair() == ["emoved", "half", "odule.py"]
    assert sorted(path.name for path in packages.iterdir()) == ["half", "whole", "whole-1.0.dist-info"]
    assert not environment.temporary.exists()
    assert environment.repair() == []


def test_drop_cuda_libraries(environment: Environment) -> None:
    """torchaudio's compiled libraries go, everything else stays, and a second time changes nothing."""
    library = site_packages(environment) / "torchaudio" / "lib"
    library.mkdir(parents=True)
    for name in ("_torchaudio.abi3.so", "libtorchaudio.abi3.so", "__init__.py"):
        (library / name).touch()
    environment.drop_cuda_libraries()
    environment.drop_cuda_libraries()
    assert [path.name for path in library.iterdir()] == ["__init__.py"]


def test_torch_from_the_default_index(environment: Environment) -> None:
    """Where pip finds the build by itself, PyTorch's index is not asked."""
    environment.pip = pip = ScriptedPip([None])
    environment.install_torch(Path("torch.txt"))
    assert pip.calls == [("--require-hashes", "-r", "torch.txt")]


def test_torch_from_pytorchs_index(environment: Environment) -> None:
    """Where pip does not find the build, it comes from PyTorch's index."""
    environment.pip = pip = ScriptedPip([PipError("none here"), None])
    environment.install_torch(Path("torch.txt"))
    assert pip.calls[1] == ("--index-url", PYTORCH_INDEX, "--require-hashes", "-r", "torch.txt")


@pytest.mark.command
def test_torch_from_nowhere(environment: Environment) -> None:
    """The message holds both failures."""
    environment.pip = ScriptedPip([PipError("none here"), PipError("none there")])
    with pytest.raises(PipError, match=r"(?s)no CPU build of torch.*none here.*download\.pytorch\.org.*none there"):
        environment.install_torch(Path("torch.txt"))


def test_install_lock_checks_hashes(environment: Environment, tmp_path: Path) -> None:
    """A lock is installed with its hashes."""
    lock = tmp_path / "cpu.txt"
    lock.write_text("a==1 \\\n    --hash=sha256:00\n")
    environment.pip = pip = ScriptedPip([None])
    environment.install_lock(lock)
    assert pip.calls == [("--require-hashes", "-r", str(lock))]


def test_locked_names() -> None:
    """Comments, hashes and sources are no packages; one locked for two versions of Python is one."""
    lock = (
        "# made by\nnetworkx==3.6 ; x < '3.12' \\\n    --hash=sha256:00\n    # via torch==2\nnetworkx==3.7 ; y\na==1\n"
    )
    assert locked_names(lock) == {"networkx", "a"}


def test_check_platform() -> None:
    """Only Linux on x86-64 has locked packages."""
    check_platform("linux", "x86_64")
    for system, machine in (("darwin", "arm64"), ("linux", "aarch64"), ("win32", "AMD64")):
        with pytest.raises(SetupError, match=f"found {system} on {machine}"):
            check_platform(system, machine)


def test_check_disk(tmp_path: Path) -> None:
    """Too little room is told before anything is fetched."""
    check_disk(tmp_path, 0.0)
    with pytest.raises(SetupError, match=r"needs about 1000000 GB of free disk here; found \d"):
        check_disk(tmp_path, 1e6)
