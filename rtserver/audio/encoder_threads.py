"""Threads that encode, and what happens when an encoder does not return."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

R = TypeVar("R")


class EncodingLate(RuntimeError):
    """Sound was not encoded in time, or no encoder is left."""


class _Job(Generic[R]):
    """One call of an encoder, for a waiter on an event loop."""

    def __init__(self, work: Callable[[], R]) -> None:
        self.work = work
        self.loop = asyncio.get_running_loop()
        self.done: asyncio.Future[R] = self.loop.create_future()
        self.timer: asyncio.TimerHandle | None = None
        self.begun = False
        self.returned = False
        self.given_up = False

    def run(self) -> None:
        """In a thread."""
        try:
            tell = partial(self.done.set_result, self.work())
        except Exception as error:
            tell = partial(self.done.set_exception, error)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            self.loop.call_soon_threadsafe(self._tell, tell)

    def _tell(self, tell: Callable[[], None]) -> None:
        assert self.timer is not None
        self.timer.cancel()
        if not self.done.done():  # the waiter may be gone
            tell()


class EncoderThreads:
    """`count` threads. A thread cannot be killed: one whose encoder does not return in time is stuck, and another takes
    its place, so that others hear their sound. When `most_stuck` are stuck, nothing is encoded until one returns.

    The threads are daemons: a stuck one does not keep the server from ending.
    """

    def __init__(self, name: str, count: int, most_stuck: int = 8) -> None:
        self._name = name
        self._missing = count  # threads to be started when there is work
        self._most_stuck = most_stuck
        self._stuck = 0
        self._jobs: SimpleQueue[_Job[Any]] = SimpleQueue()
        self._lock = threading.Lock()

    @property
    def stuck(self) -> int:
        """Threads whose encoders have not returned in time."""
        return self._stuck

    async def do(self, work: Callable[[], R], within_s: float) -> R:
        """Waits for a thread and for the work. Raises EncodingLate."""
        if self._stuck >= self._most_stuck:
            raise EncodingLate(f"expected encoders that return, found {self._stuck} that do not")
        self._start_missing()
        job = _Job(work)
        # Also when the waiter leaves: its thread may be stuck all the same.
        job.timer = job.loop.call_later(within_s, self._give_up, job, within_s)
        self._jobs.put(job)
        return await job.done

    def _start_missing(self) -> None:
        while self._missing:
            self._missing -= 1
            threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def _run(self) -> None:
        # The job has no name here: a thread that waits for the next one would keep its sound in memory.
        while self._does(self._jobs.get()):
            pass

    def _does(self, job: _Job[Any]) -> bool:
        """Does a job. Returns False when another thread has taken the place of this one."""
        with self._lock:
            if job.given_up or job.done.cancelled():
                return True
            job.begun = True
        job.run()
        with self._lock:
            job.returned = True
            if job.given_up:
                self._stuck -= 1
            return not job.given_up

    def _give_up(self, job: _Job[R], within_s: float) -> None:
        with self._lock:
            if job.returned:
                return
            job.given_up = True
            if job.begun:
                self._stuck += 1
                self._missing += 1
        self._start_missing()
        if not job.done.done():
            job.done.set_exception(EncodingLate(f"expected encoded sound within {within_s:g} s, found none"))
