"""What the operating system says of a process: whether it works, waits or is stopped."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
# Runs, waits for a processor, or waits for a disk.
_WORKS = frozenset("RD")
_STOPPED = "T"


@dataclass(frozen=True)
class Vitals:
    """One look at a process."""

    # Processor time of the process and of the processes that it started.
    cpu_s: float
    # Processor time of its main thread, which is its working thread.
    main_cpu_s: float
    # Whether a thread of these processes runs, waits for a processor, or waits for a disk.
    works: bool
    # Whether a signal (SIGSTOP) has stopped it.
    stopped: bool


def look_at(pid: int) -> Vitals | None:
    """None where nothing is known: the process is gone, or the system has no /proc."""
    process = Path(f"/proc/{pid}")
    try:
        state, cpu_s = _stat(process)
        _, main_cpu_s = _stat(process / "task" / str(pid))
        works, cpu_s = _family(process, cpu_s)
    except (OSError, ValueError, IndexError):
        return None
    return Vitals(cpu_s, main_cpu_s, works, state == _STOPPED)


def _family(process: Path, cpu_s: float) -> tuple[bool, float]:
    """Whether a thread of the process or of a child works, and the processor time of all of them together."""
    children: list[str] = []
    works = False
    for thread in (process / "task").iterdir():
        try:
            works = works or _stat(thread)[0] in _WORKS
            children += (thread / "children").read_text().split()
        except OSError:  # it has ended meanwhile
            continue
    for child in children:
        path = Path("/proc") / child
        try:
            child_works, child_cpu_s = _family(path, _stat(path)[1])
        except OSError:
            continue
        works, cpu_s = works or child_works, cpu_s + child_cpu_s
    return works, cpu_s


def _stat(folder: Path) -> tuple[str, float]:
    """The state of a process or thread, and its processor time in seconds."""
    text = (folder / "stat").read_text()
    fields = text[text.rindex(")") + 2 :].split()  # a name may have spaces and brackets
    return fields[0], (int(fields[11]) + int(fields[12])) / _CLOCK_TICKS
