"""The settings of the engine's processes, which on a GPU come from the plan of its memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import msgspec

from cosyvoice.config import Dtype, ModelConfig
from cosyvoice.models import default_cache_dir
from cosyvoice.voice.keeping import KeepingLimits
from rtserver.config import ConfigError, ServerConfig
from rtserver.engine.card.cards import Card
from rtserver.engine.card.memory_plan import REPLY_S, DoesNotFit, MemoryPlan, PlanSettings, plan_memory
from rtserver.engine.card.model_sizes import ModelSizes
from rtserver.engine.cpu.flow_choice import WITHOUT_BF16, FlowChoice
from rtserver.engine.host.local import LocalOptions
from rtserver.ipc.options import AcousticProcessOptions, PreparerProcessOptions, TalkerProcessOptions
from rtserver.ipc.process import OnProgress, Progress

EngineOptions = Callable[[ServerConfig, Path, MemoryPlan | None], LocalOptions]

_DAY_S = 86400.0
# The least that holds the longest sequence in one step.
_STEP_IDS = 2048
# For the talker's keys and values on a CPU.
_CPU_TALKER_KV_MIB = 256


def plan_for(config: ServerConfig, sizes: ModelSizes, card: Card) -> MemoryPlan:
    """Raises ConfigError, with numbers and advice, when the model does not fit."""
    settings = PlanSettings(
        talker_dtype=_chosen(config.talker_dtype),
        flow_dtype=_chosen(config.flow_dtype),
        streams=config.max_streams,
        talker_kv_mib=config.talker_kv_mib,
        flow_kv_mib=config.kv_mib,
        memory_share=config.gpu_memory_share,
        graphs=config.talker_graphs,
        flow_pages=config.flow_form != "blocks",
    )
    try:
        return plan_memory(card, sizes, settings)
    except DoesNotFit as error:
        raise ConfigError(str(error)) from None


def fitted(config: ServerConfig, model: ModelConfig, card: Card | None) -> tuple[ServerConfig, MemoryPlan | None]:
    """The settings with a number of streams that has room. There is no plan for a CPU: there, memory is taken as it is
    filled."""
    if card is None:
        return config, None
    plan = plan_for(config, ModelSizes.of(model), card)
    return replace(config, max_streams=plan.streams), plan


def cache_of(config: ServerConfig) -> Path:
    """The folder of prepared models, recordings and measured costs."""
    return default_cache_dir() if config.cache_dir is None else Path(config.cache_dir)


async def with_flow_dtype(
    config: ServerConfig,
    plan: MemoryPlan | None,
    ask: Callable[[], Awaitable[FlowChoice]],
    on_progress: OnProgress,
) -> ServerConfig:
    """The settings with a data type of the flow in place of "auto". On a GPU the plan has it. ask: what suits this CPU,
    which may take seconds. The choice is told where there was one."""
    if plan is not None or config.flow_dtype != "auto":
        return config
    choice = await ask()
    if choice != WITHOUT_BF16:
        on_progress(Progress("flow", str(choice)))
    return replace(config, flow_dtype=choice.dtype)


def local_options(config: ServerConfig, model: Path, plan: MemoryPlan | None = None) -> LocalOptions:
    """The options of the engine's processes for a model directory. plan: of the GPU's memory; None for a CPU."""
    common = str(model), config.cache_dir
    talker = TalkerProcessOptions(
        *common,
        max_streams=config.streams + config.max_batch,
        dtype=_chosen(config.talker_dtype) or "float32",
        kv_cache_mib=config.talker_kv_mib or _CPU_TALKER_KV_MIB,
    )
    acoustic = AcousticProcessOptions(
        *common,
        device="cpu" if plan is None else "cuda",
        kv_mib=config.kv_mib,
        flow_dtype=_chosen(config.flow_dtype) or "float32",
        tf32=config.tf32,
        step_ms=config.step_ms,
        flow_pages=config.flow_form == "pages",
        first_hop_tokens=config.first_hop_tokens,
        rest_after_s=config.place_idle_s,
        stalled_s=config.stalled_s,
        warm_voices=tuple(f"{voice}:{language}" for voice in config.warm_voices for language in config.languages),
    )
    if plan is not None:
        talker, acoustic = _on_gpu(talker, acoustic, plan)
    keeping = keeping_limits(config)
    return LocalOptions(
        talker,
        acoustic,
        PreparerProcessOptions(*common, recordings_age_s=keeping.most_age_s, recordings_bytes=keeping.most_bytes),
        talker_first=plan is not None,
        recovery_s=config.recovery_s,
        stalled_s=config.stalled_s,
        verbose=config.verbose,
    )


def _on_gpu(
    talker: TalkerProcessOptions, acoustic: AcousticProcessOptions, plan: MemoryPlan
) -> tuple[TalkerProcessOptions, AcousticProcessOptions]:
    """Each process gets its part of the GPU's memory, and takes no more."""
    return (
        msgspec.structs.replace(
            talker,
            dtype=plan.talker_dtype,
            kv_cache_mib=plan.mib("talker", "keys and values"),
            graphs=plan.graphs,
            memory_share=plan.talker_share,
            step_ids=_STEP_IDS,
        ),
        msgspec.structs.replace(
            acoustic,
            flow_dtype=plan.flow_dtype,
            flow_pages=plan.flow_pages,
            kv_mib=plan.mib("acoustic", "keys and values"),
            memory_share=plan.acoustic_share,
            work_mib=plan.acoustic_work_mib,
            hops=plan.hops,
            promised_s=REPLY_S,
        ),
    )


def keeping_limits(config: ServerConfig) -> KeepingLimits:
    """What is kept of the voices of clients' recordings."""
    return KeepingLimits(config.voice_cache_days * _DAY_S, config.voice_cache_mib << 20)


def _chosen(dtype: str) -> Dtype | None:
    match dtype:
        case "float32" | "bfloat16" | "float16":
            return dtype
        case _:
            return None
