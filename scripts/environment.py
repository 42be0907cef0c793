"""The virtual environment .venv: makes it, repairs it after an interruption, installs packages, and checks it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from installer import Pip, PipError
from interpreter import SetupError, candidates, choose, probe

PYTORCH_INDEX = "https://download.pytorch.org/whl/cpu"

# pip is complete when it has its RECORD file, which is written last.
_WORKS = """
import sys
from importlib.metadata import files
import pip._internal.cli.main
sys.exit(not (sys.prefix != sys.base_prefix and (3, 11) <= sys.version_info < (3, 13) and files("pip")))
"""
_IMPORTS = "import torch, torchaudio, onnxruntime, vllm"


class Environment:
    """`.venv` under `root`. `say` shows a line to the user. pip inherits the file descriptors `held_fds`."""

    def __init__(self, root: Path, say: Callable[[str], None], held_fds: Sequence[int] = ()) -> None:
        self.root, self.say = root, say
        self.folder = root / ".venv"
        self.python = self.folder / "bin" / "python"
        self.temporary = self.folder / "setup-tmp"
        self.pip = Pip(self.python, self.temporary, say, held_fds)

    @property
    def version(self) -> str:
        """The environment's Python version, such as "3.11". Empty when its Python does not run."""
        code = "import sys; print('%d.%d' % sys.version_info[:2])"
        try:
            return _run([str(self.python), "-I", "-S", "-c", code]).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            return ""

    def works(self) -> bool:
        """Whether it has a suitable Python and a complete pip. An interrupted `make` leaves one that does not work."""
        try:
            _run([str(self.python), "-I", "-c", _WORKS])
        except (OSError, subprocess.CalledProcessError):
            return False
        return True

    def make(self) -> None:
        """Makes it new and deletes an old one. Raises SetupError when there is no suitable Python."""
        python = choose([found for found in map(probe, candidates(os.environ)) if found is not None])
        if self.folder.exists():
            self.say(".venv is incomplete or its Python is gone: making a new one")
        self.say(f"with {python.command}")
        try:
            _run([python.executable, "-m", "venv", "--clear", str(self.folder)])
        except subprocess.CalledProcessError as error:
            raise SetupError(f"{python.command} could not make .venv:\n{error.stdout}{error.stderr}") from None

    def repair(self) -> list[str]:
        """Removes the remains of an interrupted pip: packages without a RECORD file (pip then installs them again),
        packages that were being removed (their names begin with ~), and temporary files. Returns the names of the
        packages."""
        shutil.rmtree(self.temporary, ignore_errors=True)
        names = []
        for path in self.folder.glob("lib/python*/site-packages/*"):
            half_installed = path.suffix == ".dist-info" and not (path / "RECORD").exists()
            if half_installed or path.name.startswith("~"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
                names.append(path.name.lstrip("~").split("-")[0])
        return sorted(set(names))

    def install_torch(self, requirements: Path) -> None:
        """Installs torch from where the user's pip looks, else from PyTorch's own index, and checks its hash. Raises
        PipError."""
        wanted = ("--require-hashes", "-r", str(requirements))
        try:
            self.pip.install(*wanted, packages=1)
        except PipError as here:
            self.say(f"this build is not where pip looks by default; trying {PYTORCH_INDEX}")
            try:
                self.pip.install("--index-url", PYTORCH_INDEX, *wanted, packages=1)
            except PipError as there:
                raise PipError(
                    f"pip found no CPU build of torch for Python {self.version}.\n"
                    f"Where pip looks by default:\n{here}\n{PYTORCH_INDEX}:\n{there}"
                ) from None

    def install_lock(self, lock: Path) -> None:
        """Installs exactly the packages of `lock` and checks their hashes. Raises PipError."""
        self.pip.install("--require-hashes", "-r", str(lock), packages=len(locked_names(lock.read_text("utf-8"))))

    def install_project(self) -> None:
        """Installs the project and its client in place: changed files need no new installation. Raises PipError."""
        self.pip.install("-e", str(self.root), "-e", str(self.root / "clients"), packages=2)

    def drop_cuda_libraries(self) -> None:
        """Deletes the libraries of torchaudio. Its wheel on PyPI is built for CUDA: with CPU torch its libraries cannot
        be loaded, and `import torchaudio` fails. Without them its Python parts work; the project uses only those."""
        for library in self.folder.glob("lib/python*/site-packages/torchaudio/lib/*.so"):
            library.unlink()

    def check(self) -> None:
        """Imports the largest packages. Raises SetupError with the traceback."""
        try:
            _run([str(self.python), "-I", "-c", _IMPORTS])
        except subprocess.CalledProcessError as error:
            raise SetupError(f"The packages are installed, but `{_IMPORTS}` fails:\n{error.stderr}") from None


def locked_names(lock: str) -> set[str]:
    """The packages in the text of a lock file. A package may be listed twice, for two versions of Python."""
    return {line.split("==")[0] for line in lock.splitlines() if "==" in line and line[0] not in " #"}


def check_platform(system: str = sys.platform, machine: str = os.uname().machine) -> None:
    """Raises SetupError on a platform for which the lock files have no packages."""
    if (system, machine) != ("linux", "x86_64"):
        raise SetupError(f"The pinned packages are for Linux on x86_64; found {system} on {machine}.")


def check_disk(folder: Path, needed_gb: float) -> None:
    """Raises SetupError when `folder` has less than `needed_gb` free."""
    free_gb = shutil.disk_usage(folder).free / 1e9
    if free_gb < needed_gb:
        raise SetupError(f"The set-up needs about {needed_gb:.0f} GB of free disk here; found {free_gb:.1f} GB.")


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
