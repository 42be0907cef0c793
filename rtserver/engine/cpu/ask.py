"""What the flow of a model calculates in on this machine's CPU. A process of its own measures it once; it is kept."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import msgspec

from cosyvoice.config import ModelConfig
from cosyvoice.parity.processor import processor_flags, processor_name
from rtserver.engine.acoustic.kept_costs import costs_file, keep
from rtserver.engine.cpu.flow_choice import BF16_FLAGS, WITHOUT_BF16, FlowChoice, StepTimes, isa_limit, multiplies_bf16
from rtserver.engine.host.local import ACOUSTIC_THREADS
from rtserver.processes.answer import answer_of

_PROGRAM = ("-m", "rtserver.engine.cpu.step_times")
# Loading PyTorch from a slow disk may take a minute.
_PATIENCE_S = 120.0


async def ask_flow_choice(
    model: ModelConfig,
    cache: Path,
    *,
    flags: Collection[str] | None = None,
    environment: Mapping[str, str] = os.environ,
    program: tuple[str, ...] = _PROGRAM,
    patience_s: float = _PATIENCE_S,
) -> FlowChoice:
    """Where the processor has no bfloat16 nothing is measured: float32. A measurement that fails gives float32 too.

    cache: the folder in which the times are kept. flags: of the processor; None for this one's.
    """
    flags = processor_flags() if flags is None else flags
    if not multiplies_bf16(flags, environment):
        return WITHOUT_BF16
    # All that the times depend on. The values of the weights are none of it.
    what = {
        "what": "the flow in both data types",
        "processor": processor_name(),
        "bf16": " ".join(sorted(BF16_FLAGS.intersection(flags))),
        "isa": isa_limit(environment),
        "threads": str(ACOUSTIC_THREADS),
        "torch": version("torch"),
        "sizes": str(model.flow),
    }
    file = costs_file(cache / "costs", what)
    times = _kept(file)
    if times is None:
        try:
            out = await answer_of((*program, str(model.directory)), environment, ACOUSTIC_THREADS, patience_s)
            times = msgspec.json.decode(out, type=list[StepTimes])
        except (OSError, msgspec.DecodeError) as error:
            return FlowChoice("float32", f"bfloat16 could not be measured ({error})")
        keep(file, [asdict(time) for time in times])
    return FlowChoice.of(times)


def _kept(file: Path) -> list[StepTimes] | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=list[StepTimes])
    except (OSError, msgspec.DecodeError):
        return None
