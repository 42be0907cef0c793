"""A stage of the runbook as a process of its own, which is ended when its time is up."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, wait

from bench.gpu.bench import Bench, Row, Rows

# A forked process has everything imported already: importing PyTorch takes seconds, and a card is rented by the minute.
# It is safe because the process that forks calculates nothing, on no device.
_CONTEXT = multiprocessing.get_context("fork")


class StageError(RuntimeError):
    """A stage did not come to its end."""


def stage_rows(run: Callable[[Bench], Rows], bench: Bench, limit_s: float) -> Iterator[Row]:
    """The rows of a stage, each as soon as it is measured. Raises StageError when the stage fails, or is not done
    within the limit."""
    end_s = time.monotonic() + limit_s
    rows, sender = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(target=_stage, args=(run, bench, sender))
    process.start()
    sender.close()
    try:
        while True:
            if not wait([rows, process.sentinel], max(0.0, end_s - time.monotonic())):
                raise StageError(f"not done within {limit_s:g} s")
            try:
                row = rows.recv()
            except EOFError:
                break
            yield row
        process.join()
        if process.exitcode:
            raise StageError(f"exit status {process.exitcode}")
    finally:
        with contextlib.suppress(ProcessLookupError):  # it has ended, and so have the processes that it started
            os.killpg(process.pid or 0, signal.SIGKILL)
        process.kill()  # it may not have its group yet
        process.join()
        rows.close()


def _stage(run: Callable[[Bench], Rows], bench: Bench, rows: Connection) -> None:
    os.setsid()  # so that the processes that it starts are ended with it
    try:
        for row in run(bench):
            rows.send(row)
    except Exception:
        traceback.print_exc()
        raise SystemExit(1) from None
