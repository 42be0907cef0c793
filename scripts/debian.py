"""Programs that tests need, from the Debian packages that requirements/debian.txt lists."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from interpreter import SetupError

# A server's program may lie where the PATH of a user does not reach.
_ALSO = "/usr/local/sbin:/usr/sbin:/sbin"


def listed(text: str, group: str) -> dict[str, str]:
    """Package -> the command that it brings, of a group, from the text of the list."""
    lines = [line.split("#")[0].split() for line in text.splitlines()]
    return {package: command for package, command, of in filter(None, lines) if of == group}


def missing_packages(root: Path, group: str, path: str | None = None) -> list[str]:
    """The packages of a group, listed in the checkout `root`, whose command is not on `path`, by default PATH. A
    command counts wherever it came from: other distributions have it in other packages."""
    packages = listed((root / "requirements" / "debian.txt").read_text("utf-8"), group)
    searched = f"{os.environ.get('PATH', '') if path is None else path}:{_ALSO}"
    return [package for package, command in packages.items() if shutil.which(command, path=searched) is None]


def install_packages(
    packages: Sequence[str],
    say: Callable[[str], None],
    run: Callable[[Sequence[str], Mapping[str, str]], str | None],
    is_root: bool,
) -> None:
    """Installs the packages with apt-get, which only root may do. `run` runs a command and returns its output if it
    fails. Raises a SetupError that says what to install."""
    if not packages:
        return
    by_hand = f"apt-get install {' '.join(packages)}"
    if not is_root or shutil.which("apt-get") is None:
        raise SetupError(f"Expected programs of the Debian packages {', '.join(packages)}. As root: {by_hand}")
    say(f"Debian packages: {', '.join(packages)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update", "-qq"], environment)  # if it fails, the present lists may be new enough
    output = run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages], environment)
    if output is not None:
        raise SetupError(f"`{by_hand}` failed:\n{output}")


def run_quietly(command: Sequence[str], environment: Mapping[str, str]) -> str | None:
    """Runs a command. Returns its output if it fails."""
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return done.stdout if done.returncode else None
