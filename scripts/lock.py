"""Writes requirements/*.txt from pyproject.toml: every package with its version and hashes. Run by scripts/lock.

Versions that still fit are kept. `scripts/lock --upgrade` takes the newest versions, `--upgrade-package NAME` the
newest of one package.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

UV = "uv==0.13.9"
ROOT = Path(__file__).resolve().parent.parent


def sources(pyproject: dict[str, Any]) -> dict[str, list[str]]:
    """Lock file -> its requirements. The first file decides the versions of packages that others need too."""
    project = pyproject["project"]
    extras = project["optional-dependencies"]
    return {
        "cpu": [*project["dependencies"], *extras["cpu"]],
        "build": pyproject["build-system"]["requires"],
        "dev": extras["dev"],
        "listen": extras["listen"],
    }


def compile_lock(uv: Path, name: str, requirements: Sequence[str], options: Sequence[str]) -> None:
    """Writes requirements/NAME.txt. uv reports on standard error."""
    command = [str(uv), "pip", "compile", "-", "--universal", "--python-version", "3.11", "--generate-hashes"]
    command += ["--python", sys.executable, "--override", "requirements/never.txt", "--quiet"]
    command += ["--custom-compile-command", "scripts/lock", "--output-file", f"requirements/{name}.txt"]
    if name != "cpu":
        command += ["--constraint", "requirements/cpu.txt"]
    subprocess.run([*command, *options], input="\n".join(requirements), text=True, check=True, cwd=ROOT)


def main(options: Sequence[str]) -> int:
    """Returns the exit status."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", folder, UV]
        try:
            subprocess.run(pip, check=True)
            for name, requirements in sources(pyproject).items():
                print(f"requirements/{name}.txt")
                compile_lock(Path(folder) / "bin" / "uv", name, requirements, options)
        except subprocess.CalledProcessError as error:
            return int(error.returncode)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
