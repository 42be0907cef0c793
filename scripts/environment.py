"""The virtual environment .venv: made, checked for what an interruption leaves behind, filled, and tried."""

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

# pip is whole when it has its RECORD, which is written last.
_WORKS = """
import sys
from importlib.metadata import files
import pip._internal.cli.main
sys.exit(not (sys.prefix != sys.base_prefix and (3, 11) <= sys.version_info < (3, 13) and files("pip")))
"""
_IMPORTS = "import torch, torchaudio, onnxruntime, vllm"


class Environment:
    """`.venv` under `root`. `say` shows a line to the user; `held_fds` go on to pip."""

    def __init__(self, root: Path, say: Callable[[str], None], held_fds: Sequence[int] = ()) -> None:
        self.root, self.say = root, say
        self.folder = root / ".venv"
        self.python = self.folder / "bin" / "python"
        self.temporary = self.folder / "setup-tmp"
        self.pip = Pip(self.python, self.temporary, say, held_fds)

    @property
    def version(self) -> str:
        """The environment's Python, such as "3.11"; empty when it does not run."""
        code = "import sys; print('%d.%d' % sys.version_info[:2])"
        try:
            return _run([str(self.python), "-I", "-S", "-c", code]).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            return ""

    def works(self) -> bool:
        """Whether it has a Python that suits and a whole pip. False also for one half made."""
        try:
            _run([str(self.python), "-I", "-c", _WORKS])
        except (OSError, subprocess.CalledProcessError):
            return False
        return True

    def make(self) -> None:
        """Makes it anew, whatever is there. Raises SetupError when no Python suits."""
        python = choose([found for found in map(probe, candidates(os.environ)) if found is not None])
        if self.folder.exists():
            self.say(".venv is incomplete or its Python is gone: making it anew")
        self.say(f"with {python.command}")
        try:
            _run([python.executable, "-m", "venv", "--clear", str(self.folder)])
        except subprocess.CalledProcessError as error:
            raise SetupError(f"{python.command} could not make .venv:\n{error.stdout}{error.stderr}") from None

    def repair(self) -> list[str]:
        """Removes what an interrupted pip left: packages without a RECORD, so that pip installs them again, packages
        half removed (their names begin with ~), and temporary files. Returns the names of the packages."""
        shutil.rmtree(self.temporary, ignore_errors=True)
        names = []
        for path in self.folder.glob("lib/python*/site-packages/*"):
            half_installed = path.suffix == ".dist-info" and not (path / "RECORD").exists()
            if half_installed or path.name.startswith("~"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
                names.append(path.name.lstrip("~").split("-")[0])
        return sorted(set(names))

    def install_torch(self, requirements: Path) -> None:
        """torch from wherever the user's pip finds this build, else from PyTorch's own index. Raises PipError."""
        try:
            self.pip.install("-r", str(requirements), packages=1)
        except PipError as here:
            self.say(f"this build is not where pip looks by default; trying {PYTORCH_INDEX}")
            try:
                self.pip.install("--index-url", PYTORCH_INDEX, "-r", str(requirements), packages=1)
            except PipError as there:
                raise PipError(
                    f"pip found no CPU build of torch for Python {self.version}.\n"
                    f"Where pip looks by default:\n{here}\n{PYTORCH_INDEX}:\n{there}"
                ) from None

    def install_lock(self, lock: Path) -> None:
        """Exactly the packages of `lock`, their hashes checked. Raises PipError."""
        self.pip.install("--require-hashes", "-r", str(lock), packages=len(locked_names(lock.read_text("utf-8"))))

    def install_project(self) -> None:
        """The project and its client, in place: an edit of their files needs no new installation. Raises PipError."""
        self.pip.install("-e", str(self.root), "-e", str(self.root / "clients"), packages=2)

    def drop_cuda_libraries(self) -> None:
        """torchaudio's wheel on PyPI is built for CUDA: beside CPU torch its libraries fail to load and take
        `import torchaudio` with them. Without them its Python parts work, and no more is used here."""
        for library in self.folder.glob("lib/python*/site-packages/torchaudio/lib/*.so"):
            library.unlink()

    def check(self) -> None:
        """Imports what the server is built on. Raises SetupError with the traceback."""
        try:
            _run([str(self.python), "-I", "-c", _IMPORTS])
        except subprocess.CalledProcessError as error:
            raise SetupError(f"The packages are installed, but `{_IMPORTS}` fails:\n{error.stderr}") from None


def locked_names(lock: str) -> set[str]:
    """The packages in the text of a lock file. A package may stand there twice, for two versions of Python."""
    return {line.split("==")[0] for line in lock.splitlines() if "==" in line and line[0] not in " #"}


def check_platform(system: str = sys.platform, machine: str = os.uname().machine) -> None:
    """Raises SetupError where the lock files have no packages."""
    if (system, machine) != ("linux", "x86_64"):
        raise SetupError(f"The pinned packages are for Linux on x86_64; found {system} on {machine}.")


def check_disk(folder: Path, needed_gb: float) -> None:
    """Raises SetupError when `folder` has less than `needed_gb` free."""
    free_gb = shutil.disk_usage(folder).free / 1e9
    if free_gb < needed_gb:
        raise SetupError(f"The set-up needs about {needed_gb:.0f} GB of free disk here; found {free_gb:.1f} GB.")


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
