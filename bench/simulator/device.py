"""A simulated clock, devices that do one piece of work at a time, and the talker. Only numbers pass; nothing waits."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bench.simulator.cost_table import FRAMES_PER_TOKEN, TOKEN_S, CostTable
from bench.simulator.making import Making
from bench.simulator.simulated import Job, SimulatedStream


class Clock:
    """Events in the order of their times."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, at_s: float, event: Callable[[], None]) -> None:
        """Runs `event` at this time, after the events that are already due at the same time."""
        self._count += 1
        heapq.heappush(self._events, (max(at_s, self.now_s), self._count, event))

    @property
    def next_s(self) -> float | None:
        """The time of the next event. None when there is none."""
        return self._events[0][0] if self._events else None

    def step(self) -> bool:
        """Runs the next event. False when there is none."""
        if not self._events:
            return False
        self.now_s, _, event = heapq.heappop(self._events)
        event()
        return True


class Worker(Protocol):
    """Does pieces of work on a device."""

    def begin(self) -> float | None:
        """Begins a piece of work. Returns its length in seconds, or None when there is nothing to do."""

    def end(self) -> None:
        """The piece of work is done."""


@dataclass
class Device:
    """Does one piece of work at a time. Its workers take turns."""

    clock: Clock
    workers: Sequence[Worker] = ()
    # How long it has worked for each worker.
    busy_s: list[float] = field(default_factory=list)
    busy: bool = False
    _last: int = -1

    def add(self, worker: Worker) -> None:
        self.workers = [*self.workers, worker]
        self.busy_s.append(0.0)

    def look(self) -> None:
        """Begins a piece of work if the device is free and a worker has one."""
        if self.busy:
            return
        count = len(self.workers)
        for offset in range(1, count + 1):
            index = (self._last + offset) % count
            seconds = self.workers[index].begin()
            if seconds is not None:
                self.busy, self._last = True, index
                self.busy_s[index] += seconds
                self.clock.at(self.clock.now_s + seconds, self._end)
                return

    def _end(self) -> None:
        self.workers[self._last].end()
        self.busy = False
        self.look()


@dataclass(frozen=True)
class Turn:
    """An Euler step for some hops, then the vocoder for the hops that this step finishes."""

    jobs: list[Job]
    finished: list[Job]
    step_s: float
    vocoder_s: float
    # How long the turn waited for the device. The process that runs it cannot tell this from work.
    waited_s: float

    @property
    def frames(self) -> int:
        return sum(job.frames for job in self.jobs)

    @property
    def decoded_frames(self) -> int:
        return sum(job.plan.tokens * FRAMES_PER_TOKEN for job in self.finished)


class Memory:
    """Memory for keys and values. A stream takes everything that it may need before its first hop, or waits."""

    def __init__(self, table: CostTable, making: Making) -> None:
        shared = making.shared_prefix and making.incremental
        self.needed_bytes = making.needed_bytes(table)  # for one stream
        self.in_use_bytes = table.kv_bytes_per_s * table.prompt_tokens * TOKEN_S if shared else 0.0  # for the voice
        self.peak_bytes = self.in_use_bytes
        self.budget_bytes = table.kv_budget_bytes

    def take(self, stream: SimulatedStream, now_s: float) -> bool:
        """Takes memory for a stream. False while there is not enough; the stream may ask again."""
        if stream.has_memory:
            return True
        if self.in_use_bytes + self.needed_bytes > self.budget_bytes:
            stream.memory_since_s = now_s if stream.memory_since_s is None else stream.memory_since_s
            return False
        self.in_use_bytes += self.needed_bytes
        self.peak_bytes = max(self.peak_bytes, self.in_use_bytes)
        stream.has_memory = True
        if stream.memory_since_s is not None:
            stream.memory_s = now_s - stream.memory_since_s
        return True

    def give_back(self, stream: SimulatedStream) -> None:
        """The stream is over."""
        self.in_use_bytes -= self.needed_bytes if stream.has_memory else 0.0


@dataclass(eq=False)
class Quantum:
    """Tokens to sample for a stream."""

    stream: SimulatedStream
    tokens: int
    left: int
    began_s: float = 0.0


class SimulatedTalker:
    """At every step it samples one token for each of its streams. Streams come and go between steps.

    It calls `on_sampled` with the quanta that a step completes, and `look` so that its device looks for work.
    """

    def __init__(
        self,
        table: CostTable,
        clock: Clock,
        on_sampled: Callable[[list[Quantum]], None],
        look: Callable[[], None],
    ) -> None:
        self.tokens = 0  # tokens sampled so far
        self._table = table
        self._clock = clock
        self._on_sampled = on_sampled
        self._look = look
        self._at_host = False
        self._coming: list[Quantum] = []
        self._running: list[Quantum] = []

    def add(self, stream: SimulatedStream, tokens: int) -> None:
        self._coming.append(Quantum(stream, tokens, tokens, self._clock.now_s))

    def stop(self, stream: SimulatedStream) -> int:
        """Drops the quantum of a stream. Returns how many of its tokens were sampled for nothing."""
        dropped = [q for q in (*self._coming, *self._running) if q.stream is stream]
        self._coming = [q for q in self._coming if q.stream is not stream]
        self._running = [q for q in self._running if q.stream is not stream]
        return sum(q.tokens - q.left for q in dropped)

    def begin(self) -> float | None:
        if self._at_host:
            return None
        begun = len(self._coming)
        self._running += self._coming
        self._coming = []
        return self._table.sample_s(len(self._running), begun) if self._running else None

    def end(self) -> None:
        host_s = self._table.talker_host_s
        if host_s == 0:
            self._count()
            return
        self._at_host = True
        self._clock.at(self._clock.now_s + host_s, self._host_ends)

    def _host_ends(self) -> None:
        self._at_host = False
        self._count()
        self._look()

    def _count(self) -> None:
        """A step is over."""
        finished = []
        for quantum in self._running:
            quantum.left -= 1
            if quantum.left == 0:
                finished.append(quantum)
        self.tokens += len(self._running)
        if finished:
            self._running = [q for q in self._running if q.left > 0]
            self._on_sampled(finished)
