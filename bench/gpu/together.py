"""Stage `together`: what talker and flow cost each other on one device.

Alone, then at the same time: as two processes (a GPU gives each its time slices), as two processes under NVIDIA's MPS,
and in one process on two CUDA streams, of which the talker's has the higher priority.
"""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from typing import Literal

import torch

from bench.gpu.bench import Bench, Row, Rows
from bench.gpu.bench_sizes import DTYPES
from bench.gpu.mps import mps
from bench.gpu.stages import hops_of, step_work
from bench.gpu.stand_in_talker import StandInTalker
from rtserver.engine.acoustic.device import give_way

Part = Literal["talker", "flow"]
_PARTS: tuple[Part, Part] = ("talker", "flow")
# How long a process may take to be ready, and to answer. The stage's own limit is shorter on a GPU.
_PATIENCE_S = 100.0


def together(bench: Bench) -> Rows:
    """Times of a talker step and an Euler step, in milliseconds. beside: whether the other part works too."""
    yield from _processes(bench, "two processes")
    yield from _one_process(bench)
    if bench.on_gpu:
        try:
            with mps():
                yield from _processes(bench, "two processes with MPS")
        except RuntimeError as error:  # MPS is not there, or the processes cannot use it
            yield {"how": "two processes with MPS", "skipped": str(error)}


def _processes(bench: Bench, how: str) -> Rows:
    """Each part in a process of its own: one after the other, then both at once. Raises RuntimeError."""
    context = multiprocessing.get_context("spawn")
    pipes = {part: context.Pipe() for part in _PARTS}
    children = [context.Process(target=_child, args=(bench, part, pipes[part][1]), daemon=True) for part in _PARTS]
    try:
        for part, child in zip(_PARTS, children, strict=True):
            child.start()
            pipes[part][1].close()  # so that the death of the process is seen
        for part in _PARTS:
            _answer(pipes[part][0], part)  # it is ready
        for working in (*((part,) for part in _PARTS), _PARTS):
            for part in working:
                pipes[part][0].send("go")
            for part in working:
                yield {"how": how, "beside": working == _PARTS, **_answer(pipes[part][0], part)}
    finally:
        for part, child in zip(_PARTS, children, strict=True):
            with contextlib.suppress(OSError):  # it may be dead
                pipes[part][0].send(None)
            child.join(timeout=5.0)
            if child.is_alive():
                child.kill()
                child.join()


def _answer(connection: Connection, part: Part) -> Row:
    if not connection.poll(_PATIENCE_S):
        raise RuntimeError(f"the process of the {part}: expected an answer within {_PATIENCE_S:g} s, found none")
    try:
        row: Row = connection.recv()
    except EOFError:
        raise RuntimeError(f"the process of the {part} died") from None
    return row


def _child(bench: Bench, part: Part, connection: Connection) -> None:
    if part == "flow":
        give_way(bench.device)
    with torch.inference_mode(), _work(bench, part) as work:
        work()
        connection.send({})
        while connection.recv():
            connection.send(_measured(bench, part, work))


def _one_process(bench: Bench) -> Rows:
    """A thread for each part."""
    rows: dict[Part, Row] = {}
    # While a graph is captured, no other thread may use the GPU.
    building, ready = threading.Lock(), threading.Barrier(len(_PARTS))

    def thread(part: Part) -> None:
        stream = torch.cuda.Stream(priority=-1 if part == "talker" else 0) if bench.on_gpu else None
        with ExitStack() as stack:
            stack.enter_context(torch.inference_mode())
            stack.enter_context(torch.cuda.stream(stream))
            with building:
                work = stack.enter_context(_work(bench, part))
                work()
            ready.wait(_PATIENCE_S)
            rows[part] = _measured(bench, part, work)

    threads = [threading.Thread(target=thread, args=(part,)) for part in _PARTS]
    for started in threads:
        started.start()
    for started in threads:
        started.join()
    for part in _PARTS:
        yield {"how": "one process", "beside": True, **rows[part]}


@contextmanager
def _work(bench: Bench, part: Part) -> Iterator[Callable[[], None]]:
    """A step of the part, which ends when the device is done with it."""
    rows = min(bench.sizes.talker_rows[-1], 32)
    hops = min(bench.sizes.batches[-1], 8)

    def waiting(step: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            step()
            if bench.on_gpu:
                torch.cuda.current_stream().synchronize()

        return run

    if part == "talker":
        yield waiting(StandInTalker(bench, rows).step_of(rows))
        return
    dtype = DTYPES[bench.dtype]
    stepper = bench.sizes.stepper(bench.device, dtype, bench.kv_bytes // 3)
    with hops_of(stepper, hops, bench.sizes.contexts_s[1]) as jobs:
        yield waiting(step_work(stepper, jobs))


def _measured(bench: Bench, part: Part, work: Callable[[], None]) -> Row:
    """Steps one after the other, for a fixed time."""
    times_ms: list[float] = []
    start_s = time.perf_counter()
    while (begun_s := time.perf_counter()) < start_s + bench.sizes.together_s:
        work()
        times_ms.append(1000 * (time.perf_counter() - begun_s))
    times_ms.sort()
    return {
        "part": part,
        "p50_ms": round(statistics.median(times_ms), 3),
        "p95_ms": round(times_ms[math.ceil(0.95 * len(times_ms)) - 1], 3),
        "per_s": round(len(times_ms) / (time.perf_counter() - start_s), 2),
    }
