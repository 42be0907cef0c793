"""Prints to standard error what a command is doing."""

from __future__ import annotations

import sys
import time

from rtserver.ipc.process import Progress


class Narrator:
    """Each line begins with the seconds since the command began."""

    def __init__(self) -> None:
        self._start_s = time.perf_counter()

    @property
    def elapsed_s(self) -> float:
        return time.perf_counter() - self._start_s

    def say(self, text: str) -> None:
        print(f"[{self.elapsed_s:5.1f} s] {text}", file=sys.stderr, flush=True)

    def progress(self, progress: Progress) -> None:
        self.say(f"{progress.part}: {progress.text}")
