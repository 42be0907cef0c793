"""Runs pip quietly: shows its progress, and shows errors in full with what to do about them."""

from __future__ import annotations

import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from interpreter import SetupError

REPORT_EVERY_S = 5.0

_HANDLED = re.compile(r"(Collecting|Processing|Requirement already satisfied:) ")
# What pip prints when nothing is wrong, and its remarks on index folders without a package.
_NOISE = re.compile(
    r"\s*(Looking in |Collecting |Processing |Requirement already |Ignoring |Downloading |Using cached |Obtaining |"
    r"Preparing metadata|Building wheel|Created wheel|Stored in directory|WARNING: Location )"
)
_RETRY = "WARNING: Retrying "
_HINTS = (
    (
        r"name resolution|Name or service not known|No address associated|NewConnectionError|Network is unreachable|"
        r"ConnectTimeout|Max retries exceeded|ProxyError|Read timed out|Connection (refused|reset|broken)|"
        r"IncompleteRead",
        "The package index could not be reached. Check the network (or pip's proxy and index settings) and run the "
        "same command again: it goes on where it stopped.",
    ),
    (r"No space left on device", "The disk is full. Make room and run the same command again."),
    (
        r"DO NOT MATCH THE HASHES",
        "A package is not the one that the lock file was made with, so nothing was installed. Find out where it came"
        " from.",
    ),
)


class PipError(SetupError):
    """pip failed. The message has its output."""


def explain(output: Sequence[str]) -> str:
    """What to do (if the cause is known), then pip's `output` without its usual lines. Of many attempts to reach an
    index, only the last is shown."""
    lines = [line for line in output if line.strip() and not _NOISE.match(line)]
    retries = [line for line in lines if line.startswith(_RETRY)]
    text = "\n".join([*retries[-1:], *(line for line in lines if not line.startswith(_RETRY))])
    hints = [hint for pattern, hint in _HINTS if re.search(pattern, text)]
    return "\n".join([*hints[:1], "pip said:", text])


def pip_environment(environ: Mapping[str, str], temporary: Path) -> dict[str, str]:
    """`environ` without variables that install packages elsewhere, and with pip's temporary files under `temporary`."""
    elsewhere = ("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT")
    return {**{k: v for k, v in environ.items() if k not in elsewhere}, "TMPDIR": str(temporary)}


class Pip:
    """pip of one virtual environment. `held_fds` stay open in pip, so that a lock is held until pip ends."""

    def __init__(self, python: Path, temporary: Path, say: Callable[[str], None], held_fds: Sequence[int] = ()) -> None:
        self.python, self.temporary, self.say, self.held_fds = python, temporary, say, held_fds
        self.started_s, self.before = time.monotonic(), 0

    def install(self, *arguments: str, packages: int) -> None:
        """Runs `pip install --no-deps ARGUMENTS`. `packages`: how many, for the progress. Raises PipError.

        Builds use the environment's own setuptools, whose version is in the lock file.
        """
        command = [str(self.python), "-I", "-u", "-m", "pip", "install", "--no-deps", "--no-build-isolation"]
        command += ["--use-pep517", "--no-input", "--disable-pip-version-check", "--progress-bar", "off", *arguments]
        self.temporary.mkdir(exist_ok=True)
        output: list[str] = []
        self.started_s, self.before = time.monotonic(), len(installed(self.python))
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=pip_environment(os.environ, self.temporary),
            pass_fds=self.held_fds,
        ) as process:
            reader = threading.Thread(target=_collect, args=(process, output), daemon=True)
            reader.start()
            try:
                while reader.is_alive():
                    reader.join(REPORT_EVERY_S)
                    if reader.is_alive():
                        self.say(self.progress(output, packages))
                code = process.wait()
            except KeyboardInterrupt:
                process.terminate()  # Ctrl-C in a terminal also reaches pip, but a signal to this process does not
                process.wait()
                raise
        if code != 0:
            raise PipError(explain(output))

    def progress(self, output: Sequence[str], packages: int) -> str:
        """One line about pip's progress, from its `output` so far."""
        elapsed_s = time.monotonic() - self.started_s
        if any(line.startswith("Installing collected packages") for line in output):
            return f"installing, {len(installed(self.python)) - self.before} packages done, {elapsed_s:.0f} s"
        handled = sum(1 for line in output if _HANDLED.match(line))
        fetched_mb = sum(map(_size_bytes, self.temporary.glob("pip-unpack-*/*"))) / 1e6
        return f"package {min(handled, packages)} of {packages}, {fetched_mb:.0f} MB fetched, {elapsed_s:.0f} s"


def installed(python: Path) -> list[Path]:
    """The RECORD files of the installed packages of `python`'s environment. pip writes these files last."""
    return list(python.parent.parent.glob("lib/python*/site-packages/*.dist-info/RECORD"))


def _collect(process: subprocess.Popen[str], output: list[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        output.append(line.rstrip("\n"))


def _size_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # pip has moved it
        return 0
