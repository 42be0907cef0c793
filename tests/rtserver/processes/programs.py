"""Small real programs that a supervisor can run, and what is left after them."""

from __future__ import annotations

import os
from pathlib import Path

from rtserver.processes.program import Program
from rtserver.processes.watch import DEFAULT_LIMITS, WatchLimits

_BEGINNING = """
import os, queue, signal, socket, subprocess, sys, time
from rtserver.processes.inbox import Inbox, Lost
from rtserver.processes.port import Port
from rtserver.ipc.message import *
from rtserver.ipc.preparing import PreparationKey
inbox = Inbox()
port = Port(socket.socket(fileno=int(sys.argv[-1])), inbox)
"""


def program(
    code: str, *arguments: str, threads: int = 1, nice: int = 0, limits: WatchLimits = DEFAULT_LIMITS
) -> Program:
    """A program named `tone` that has a `port` to its parent, its `inbox` and `arguments` from sys.argv[1] on."""
    return Program("tone", ("-c", _BEGINNING + code, *arguments), threads=threads, nice=nice, limits=limits)


def open_files() -> set[str]:
    """The file descriptors of this process, and what they are."""
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        if entry.is_symlink():  # the descriptor with which the folder was listed is already closed
            found.add(f"{entry.name} {os.readlink(entry)}")
    return found


def is_there(pid: int) -> bool:
    """Whether a process exists. A dead process that was not waited for counts."""
    return Path(f"/proc/{pid}").exists()
