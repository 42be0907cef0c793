"""Measures how fast a model's flow is in float32 and in bfloat16: `python -m rtserver.engine.cpu.step_times MODEL_DIR`.

It prints a JSON list of StepTimes. It is a process of its own, because the server's front has no PyTorch. Weights are
random, because the time does not depend on them: nothing of the checkpoint but its sizes is read.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import torch

from cosyvoice.config import FlowConfig, ModelConfig
from cosyvoice.flow.flow import Flow
from cosyvoice.flow.memory import FlowMemory
from cosyvoice.flow.stepper import FlowStepper
from cosyvoice.flow.stream import FlowStream
from rtserver.engine.cpu.flow_choice import StepTimes
from rtserver.schedule.scheduler import Places

# Seconds for each number of hops.
_SECONDS = 0.15
# All layers are alike, so two stand for all.
_LAYERS = 2
# Of a hop. The first is slower: it comes with memory that was not used before.
_STEPS = 2


@torch.inference_mode()
def measure(
    config: FlowConfig, most_hops: int, clock: Callable[[], float] = time.perf_counter
) -> tuple[StepTimes, ...]:
    """Steps of one hop, and of `most_hops` where they fit into the time. Both data types are measured in turn, so that
    other work on the machine slows both; the fastest step of each counts."""
    config = replace(config, dit=replace(config.dit, depth=min(config.dit.depth, _LAYERS)))
    weights = Flow(config)
    flows = [FlowStepper(weights, FlowMemory(config, dtype=dtype)) for dtype in (torch.float32, torch.bfloat16)]
    found: list[StepTimes] = []
    for hops in (1, most_hops):
        begin_s = clock()
        if found and hops * (found[0].float32_s + found[0].bfloat16_s) * _STEPS > _SECONDS:
            break  # a large model, whose products are as fast for one hop as for several
        rounds: list[list[float]] = []
        while len(rounds) < 2 or clock() - begin_s < _SECONDS:
            rounds.append([_step_s(flow, hops, clock) for flow in flows])
        float32_s, bfloat16_s = (min(seconds) for seconds in zip(*rounds[1:], strict=True))  # the first makes kernels
        found.append(StepTimes(hops, float32_s, bfloat16_s))
    return tuple(found)


def _step_s(flow: FlowStepper, hops: int, clock: Callable[[], float]) -> float:
    """The fastest of some steps."""
    config = flow.config
    voice = flow.voice((), torch.zeros(0, config.mel_bins), torch.ones(config.spk_embed_dim))
    streams = [FlowStream(flow, voice) for _ in range(hops)]
    tokens = [0] * (config.chunk_tokens + config.lookahead_tokens)
    jobs = [stream.hop(tokens, final=False) for stream in streams]
    taken = []
    for _ in range(min(_STEPS, config.euler_steps)):
        begin_s = clock()
        flow.tick(jobs)
        taken.append(clock() - begin_s)
    for stream in streams:
        stream.close()
    return min(taken)


def main(model: str) -> None:
    """Measures and prints."""
    times = measure(ModelConfig.load(Path(model)).flow, Places.of("cpu").hops)
    print(msgspec.json.encode(times).decode())


if __name__ == "__main__":
    main(*sys.argv[1:])
