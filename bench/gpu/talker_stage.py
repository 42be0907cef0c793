"""Stage `talker_step`: a step of the talker by its rows, of the stand-in and where it is installed of vLLM."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from bench.gpu.bench import Bench, Row, Rows
from bench.gpu.stand_in_talker import MAX_IDS, StandInTalker
from bench.gpu.timing import counted, timed_ms
from bench.model.random_checkpoint import write_checkpoint
from cosyvoice.config import ModelConfig
from cosyvoice.talker.layout import LayoutStage, Quantum
from cosyvoice.talker.talker import Talker, TalkerOptions
from rtserver.engine.acoustic.device import capture_on

# Ids before the sampled ones: a prompt of 3 s and a sentence.
_PROMPT_IDS = 120


def talker_step(bench: Bench) -> Rows:
    """The stand-in, then vLLM where it is installed."""
    yield from _stand_in(bench)
    if bench.vllm:
        yield from _vllm(bench)


@torch.inference_mode()
def _stand_in(bench: Bench) -> Rows:
    """First what is launched one by one: the body, the sampler, the start of a quantum. Then body and sampler as CUDA
    graphs, and whole steps as the engine makes them."""
    rounds, device = 4 * bench.sizes.rounds, bench.device
    talker = StandInTalker(bench, max(bench.sizes.talker_rows))
    states = [talker.draw_state(_quantum(number), number) for number in range(max(bench.sizes.talker_rows))]
    for rows in bench.sizes.talker_rows:
        eager: Row = {"talker": "stand-in", "rows": rows, "path": "eager"}
        yield eager | {"what": "body", **timed_ms(device, rounds, talker.eager_step(rows))}

        def draw(rows: int = rows) -> object:
            return talker.draw(dict(enumerate(states[:rows])))

        yield eager | {"what": "sampler", **timed_ms(device, rounds, draw), "operations": counted(draw)}
        begin = timed_ms(device, bench.sizes.rounds, lambda rows=rows: talker.begin_rows(rows))  # type: ignore[misc]
        yield eager | {"what": "begin", **begin}
    for rows in bench.sizes.talker_rows:
        row: Row = {"talker": "stand-in", "rows": rows, "path": "graph" if bench.on_gpu else "eager"}
        if bench.on_gpu:
            yield row | {"what": "body", **timed_ms(device, rounds, talker.step_of(rows))}
            yield row | {"what": "sampler", **timed_ms(device, rounds, talker.captured_draw(states[:rows]))}
        yield row | {"what": "step", **_steps_ms(talker, rows, rounds)}


def _vllm(bench: Bench) -> Rows:
    """The real talker, with random weights."""
    with tempfile.TemporaryDirectory() as folder:
        write_checkpoint(Path(folder), bench.sizes.checkpoint)
        options = TalkerOptions(
            dtype=bench.dtype,
            max_streams=max(bench.sizes.talker_rows),
            kv_cache_bytes=(4 << 30) if bench.on_gpu else (64 << 20),
            enforce_eager=not bench.on_gpu,
            memory_share=0.5 if bench.on_gpu else None,
        )
        config, cache = ModelConfig.load(Path(folder)), Path(folder) / "cache"
        talker = Talker(config, options, cache, capture=capture_on(bench.device))
        for rows in bench.sizes.talker_rows:
            yield {"talker": "vllm", "rows": rows, "what": "step", **_steps_ms(talker, rows, 4 * bench.sizes.rounds)}
        talker.close()


def _steps_ms(talker: StandInTalker | Talker, rows: int, rounds: int) -> dict[str, float]:
    """Whole steps with the sampler, by the host's clock: each ends when its ids are on the host. The first one begins
    the quanta."""
    for number in range(rows):
        talker.add(f"{rows}-{number}", _quantum(number), number)
    begun_ms, *steps_ms = _times_ms(talker, rounds + 3)
    for number in range(rows):
        talker.cancel(f"{rows}-{number}")
    return {"wall_ms": round(statistics.median(steps_ms[2:]), 4), "first_wall_ms": round(begun_ms, 4)}


def _times_ms(talker: StandInTalker | Talker, steps: int) -> Iterator[float]:
    for _ in range(steps):
        start_s = time.perf_counter()
        talker.step()
        yield 1000 * (time.perf_counter() - start_s)


def _quantum(number: int) -> Quantum:
    """Long enough that it does not end while it is measured."""
    ids = [(7 * number + 5 * place) % 6561 for place in range(_PROMPT_IDS)]
    return Quantum(ids, MAX_IDS - _PROMPT_IDS, MAX_IDS, LayoutStage.FINAL, [])
