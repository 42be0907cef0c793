"""All stages of the runbook, in the order in which they run: what is most useful comes first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.gpu.bench import Bench, Rows
from bench.gpu.engine_stage import engine
from bench.gpu.stages import ceilings, correct, flow_step, vocoder_step
from bench.gpu.talker_stage import talker_step
from bench.gpu.together import together


@dataclass(frozen=True)
class Stage:
    """A function that measures."""

    run: Callable[[Bench], Rows]
    # After so many seconds it is ended.
    limit_s: float
    # So many more where vLLM is measured: it takes a minute to start.
    vllm_s: float = 0.0


# `engine` comes last: with vLLM it takes the longest to start. It may use what time the others have left.
STAGES = {
    "ceilings": Stage(ceilings, 25.0),
    "correct": Stage(correct, 60.0),
    "flow_step": Stage(flow_step, 90.0),
    "talker_step": Stage(talker_step, 50.0, vllm_s=80.0),
    "vocoder_step": Stage(vocoder_step, 45.0),
    "together": Stage(together, 70.0),
    "engine": Stage(engine, 120.0, vllm_s=60.0),
}
