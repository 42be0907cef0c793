"""What a child process runs: the command, its options, its share of the machine."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import msgspec

from rtserver.processes.watch import DEFAULT_LIMITS, WatchLimits


@dataclass(frozen=True)
class Program:
    """A Python program that talks to its parent over an inherited socket; see `run_child` for the other side."""

    # For messages and logs.
    name: str
    # What Python runs: a module, a file or code, and arguments that are no options of `run_child`.
    arguments: tuple[str, ...]
    # Passed as one argument of JSON. Everybody on the machine can read it there: no secrets.
    options: msgspec.Struct | None = None
    # OMP_NUM_THREADS. PyTorch and vLLM read it when they are imported.
    threads: int = 1
    # Added to the priority number.
    nice: int = 0
    # When it is taken to hang.
    limits: WatchLimits = DEFAULT_LIMITS

    def command(self, fd: int) -> list[str]:
        """The command line of a process that inherits the socket `fd`."""
        options = [] if self.options is None else ["--options", msgspec.json.encode(self.options).decode()]
        return [sys.executable, *self.arguments, *options, "--fd", str(fd)]
