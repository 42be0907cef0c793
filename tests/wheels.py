"""Wheels of this checkout's distributions, and clean environments with them and nothing else of the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# What setuptools and Python write beside the sources. A `build` folder would get old files into a wheel.
_MADE = shutil.ignore_patterns("__pycache__", "*.egg-info", "build", "node_modules")


def distributions() -> list[Path]:
    """The folder of each Python distribution of the checkout."""
    return sorted(path.parent for path in (ROOT / "pyproject.toml", *ROOT.glob("clients/**/pyproject.toml")))


def package_folders(source: Path) -> list[Path]:
    """The folders of a distribution's packages, as its `pyproject.toml` names them."""
    project = tomllib.loads((source / "pyproject.toml").read_text("utf-8"))
    patterns = project["tool"]["setuptools"]["packages"]["find"]["include"]
    found = {path for pattern in patterns for path in source.glob(pattern.partition(".")[0])}
    return sorted(path for path in found if path.is_dir() and path.suffix != ".egg-info")


def wheel_of(source: Path, folder: Path) -> Path:
    """Builds the wheel of a distribution into `folder`, from a copy of its files. Needs no registry."""
    copy = folder / f"source of {source.name}"
    copy.mkdir(parents=True)
    for package in package_folders(source):
        shutil.copytree(package, copy / package.name, ignore=_MADE)
    for path in source.iterdir():
        if path.is_file():
            shutil.copyfile(path, copy / path.name)
    wheels = folder / f"wheel of {source.name}"
    _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels), str(copy))
    (wheel,) = wheels.glob("*.whl")
    return wheel


def site_packages(python: Path) -> Path:
    """Where the environment of an interpreter has its packages."""
    (found,) = python.parents[1].glob("lib/python*/site-packages")
    return found


def installed(folder: Path, wheels: Sequence[Path], dependencies: Path) -> Path:
    """The interpreter of a new environment in `folder` that has these wheels, and the packages in `dependencies` that
    they need. Packages that are installed there from a checkout are not seen: their path files are not read."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    _pip("--python", str(python), "install", "--no-deps", "--no-index", *map(str, wheels))
    (site_packages(python) / "dependencies.pth").write_text(f"{dependencies}\n", "utf-8")
    return python


def project_dependencies() -> Path:
    """The packages of the environment that runs the tests."""
    return Path(sysconfig.get_path("purelib"))


def clean_environ() -> dict[str, str]:
    """The environment variables for a program that must not see the checkout."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=clean_environ())
    assert done.returncode == 0, f"{' '.join(command)} failed:\n{done.stdout[-1000:]}\n{done.stderr[-3000:]}"
