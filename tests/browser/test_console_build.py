"""The console's built files are those that its sources make."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / "rtserver" / "console"
# What Vite asks for.
LEAST_NODE = (20, 19)


def node_version() -> tuple[int, ...]:
    """(0,) where there is no Node."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return (0,)
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(map(int, re.findall(r"\d+", said)))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=400)
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(node_version() < LEAST_NODE, reason=f"Node {'.'.join(map(str, LEAST_NODE))} or later builds it")
@pytest.mark.timeout(900)  # packages are downloaded
def test_the_built_files_are_those_of_the_sources(tmp_path: Path) -> None:
    """The types are right, the tests of what needs no browser pass, and a build of the locked packages gives the same
    files, byte by byte."""
    for name in ("console", "js"):
        skipped = shutil.ignore_patterns("node_modules", "dist")
        shutil.copytree(ROOT / "clients" / name, tmp_path / "clients" / name, ignore=skipped)
    console = tmp_path / "clients" / "console"
    run(["npm", "ci", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts"], console)
    run(["npm", "run", "check"], console)
    run(["npm", "test"], console)
    run(["npm", "run", "build"], console)
    assert contents(tmp_path / "rtserver" / "console") == contents(BUILT)
