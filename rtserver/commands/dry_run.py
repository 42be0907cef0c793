"""`rtserver serve --dry-run`: what the server would take of a GPU's memory. Nothing is loaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cosyvoice.config import ModelConfig
from cosyvoice.models import resolve_model
from rtserver.commands.fitting import cache_of, plan_for
from rtserver.commands.serve_arguments import DryRunOptions
from rtserver.config import ConfigError, ServerConfig
from rtserver.engine.card.ask import ask_card
from rtserver.engine.card.cards import Card, find_card
from rtserver.engine.card.model_sizes import RELEASED, ModelSizes
from rtserver.engine.card.plan_text import plan_json, plan_table
from rtserver.engine.cpu.ask import ask_flow_choice


async def dry_run(config: ServerConfig, options: DryRunOptions) -> int:
    """Prints the plan. Raises ConfigError when the model does not fit, or a name is unknown."""
    model, card = _model(config.model), await _card(config, options)
    sizes = RELEASED if model is None else ModelSizes.of(model)
    if card is None:
        print(
            f"{sizes.name} on this machine's CPU: {await _cpu_dtypes(config, model)}, {config.streams} realtime "
            "streams. Memory is taken as it is filled (kv_mib). --card NAME or --memory-gb N plans for a GPU."
        )
        return 0
    plan = plan_for(config, sizes, card)
    print(plan_json(plan) if options.form == "json" else plan_table(plan))
    return 0


async def _card(config: ServerConfig, options: DryRunOptions) -> Card | None:
    try:
        if options.card is None:
            return await ask_card(config.device) if options.memory_gb is None else Card.of_size(options.memory_gb)
        card = find_card(options.card)
        if options.memory_gb is None:
            return card
        part = Card.of_size(options.memory_gb)
        return replace(card, memory_mib=min(card.memory_mib, part.memory_mib))
    except ValueError as error:
        raise ConfigError(str(error)) from None


async def _cpu_dtypes(config: ServerConfig, model: ModelConfig | None) -> str:
    """What talker and flow calculate in. The flow's is measured where the server would measure it."""
    talker = "float32" if config.talker_dtype == "auto" else config.talker_dtype
    flow: str = config.flow_dtype
    if flow == "auto" and model is not None:
        choice = await ask_flow_choice(model, cache_of(config))
        flow = f"{choice.dtype} ({choice.reason})"
    elif flow == "auto":
        flow = "float32, or bfloat16 where the processor has it and is faster with it"
    return f"talker in {talker}, flow in {flow}"


def _model(name: str) -> ModelConfig | None:
    """None for the released checkpoint by its name, where it is not on this machine."""
    if Path(name).name == RELEASED.name and not Path(name).expanduser().exists():
        return None
    return ModelConfig.load(resolve_model(name))
