"""The options of the engine's processes: on a CPU from the settings, on a GPU from the plan."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from cosyvoice.config import ModelConfig
from cosyvoice.models import NANO
from rtserver.commands.fitting import fitted, local_options, with_flow_dtype
from rtserver.config import ConfigError, ServerConfig
from rtserver.engine.card.cards import Card, find_card
from rtserver.engine.cpu.flow_choice import WITHOUT_BF16, FlowChoice
from rtserver.ipc.process import Progress


def test_on_a_cpu_the_settings_count() -> None:
    """float32, no graphs, both processes start together; settings of data types and memory are passed on."""
    config, plan = fitted(ServerConfig(), ModelConfig.load(NANO), None)
    assert (config, plan) == (ServerConfig(), None)
    options = local_options(config, NANO, plan)
    assert (options.acoustic.device, options.acoustic.flow_dtype, options.talker.dtype) == ("cpu", "float32", "float32")
    assert (options.talker.graphs, options.talker.memory_share, options.talker_first) == (False, None, False)
    assert (options.talker.max_streams, options.talker.kv_cache_mib) == (64, 256)
    changed = replace(config, flow_dtype="bfloat16", talker_dtype="bfloat16", talker_kv_mib=99, kv_mib=7, tf32=True)
    changed = replace(changed, step_ms=4.0)
    options = local_options(changed, NANO)
    assert (options.acoustic.flow_dtype, options.talker.dtype) == ("bfloat16", "bfloat16")
    assert (options.talker.kv_cache_mib, options.acoustic.kv_mib, options.acoustic.tf32) == (99, 7, True)
    assert options.acoustic.step_ms == 4.0


@pytest.mark.parametrize("choice", [WITHOUT_BF16, FlowChoice("bfloat16", "it is faster")])
def test_on_a_cpu_the_flow_has_what_suits_the_processor(choice: FlowChoice) -> None:
    """It is told where there was a choice."""
    told: list[Progress] = []

    async def ask() -> FlowChoice:
        return choice

    config = asyncio.run(with_flow_dtype(ServerConfig(), None, ask, told.append))
    assert config == replace(ServerConfig(), flow_dtype=choice.dtype)
    assert local_options(config, NANO).acoustic.flow_dtype == choice.dtype
    assert told == ([] if choice == WITHOUT_BF16 else [Progress("flow", "calculates in bfloat16: it is faster")])


@pytest.mark.parametrize(
    ("config", "card"), [(ServerConfig(flow_dtype="bfloat16"), None), (ServerConfig(), find_card("h100"))]
)
def test_a_setting_and_a_plan_leave_no_choice(config: ServerConfig, card: Card | None) -> None:
    """Then the processor is not asked."""

    async def ask() -> FlowChoice:
        raise AssertionError("expected no question")

    config, plan = fitted(config, ModelConfig.load(NANO), card)
    assert asyncio.run(with_flow_dtype(config, plan, ask, print)) == config


def test_on_a_gpu_the_plan_counts() -> None:
    """Each process gets its part of the memory; the talker starts first, with graphs."""
    config, plan = fitted(ServerConfig(max_batch=8), ModelConfig.load(NANO), find_card("h100"))
    assert plan is not None and config.max_streams == plan.streams == 128
    options = local_options(config, NANO, plan)
    talker, acoustic = options.talker, options.acoustic
    assert options.talker_first and acoustic.device == "cuda"
    assert (talker.dtype, acoustic.flow_dtype, talker.graphs, acoustic.tf32) == ("bfloat16", "bfloat16", True, False)
    assert talker.max_streams == 128 + 8 and talker.memory_share == plan.talker_share
    assert acoustic.memory_share == plan.acoustic_share and acoustic.hops == plan.hops == 64
    assert talker.kv_cache_mib == plan.mib("talker", "keys and values")
    assert acoustic.kv_mib == plan.mib("acoustic", "keys and values")
    work = ("activations", "CUDA graphs", "pages of last hops")
    assert acoustic.work_mib == sum(plan.mib("acoustic", what) for what in work)
    assert all(plan.mib("acoustic", what) > 0 for what in work)
    assert acoustic.promised_s == 6.0 and local_options(config, NANO).acoustic.promised_s is None


def test_a_model_that_does_not_fit_is_an_error_of_the_settings() -> None:
    """It is told before anything is loaded."""
    with pytest.raises(ConfigError, match="nano does not fit on a card of 2 GB"):
        fitted(ServerConfig(), ModelConfig.load(NANO), Card.of_size(2))
