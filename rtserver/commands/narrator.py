"""Prints to standard error what a command is doing."""

from __future__ import annotations

import logging
import sys
import time

from rtserver.ipc.process import Progress


class Narrator:
    """Each line begins with the seconds since the command began. With a `log`, the lines go there instead."""

    def __init__(self, log: logging.Logger | None = None) -> None:
        self._start_s = time.perf_counter()
        self._log = log

    @property
    def elapsed_s(self) -> float:
        return time.perf_counter() - self._start_s

    def say(self, text: str) -> None:
        if self._log is not None:
            self._log.info(text)
            return
        print(f"[{self.elapsed_s:5.1f} s] {text}", file=sys.stderr, flush=True)

    def progress(self, progress: Progress) -> None:
        self.say(f"{progress.part}: {progress.text}")
