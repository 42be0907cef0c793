"""The memory plan as a table for people and as JSON for programs."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from rtserver.engine.card.memory_plan import MemoryPlan

_PARTS = {"talker": "talker process (vLLM)", "acoustic": "acoustic process (flow, vocoder)", "spare": "not used"}


def plan_table(plan: MemoryPlan) -> str:
    """Some lines of text."""
    card = plan.card
    major, minor = card.capability
    free = "" if card.free_mib is None else f", {card.free_mib} free"
    lines = [
        f"Planned, not measured: {plan.model} on {card.name} ({card.memory_mib} MiB{free}, capability {major}.{minor})",
        f"talker {plan.talker_dtype}, flow {plan.flow_dtype}, vocoder float32, "
        f"{'CUDA graphs' if plan.graphs else 'no CUDA graphs'} in vLLM",
    ]
    for part, title in _PARTS.items():
        of_part = [item for item in plan.items if item.part == part]
        lines.append(f"{title:<36}{sum(item.mib for item in of_part):>9} MiB")
        if len(of_part) > 1:
            lines += [f"    {item.what:<32}{item.mib:>9}     {item.basis}" for item in of_part if item.mib]
    lines.append(
        f"{plan.streams} realtime streams, {plan.hops} hops in a step, {plan.context_s:.0f} s of sound in memory "
        f"({plan.flow_second_mib:.1f} MiB a second)"
    )
    return "\n".join(lines)


def plan_json(plan: MemoryPlan) -> str:
    """One JSON object. `kind` says that nothing in it is measured."""
    fields: dict[str, Any] = asdict(plan)
    fields["kind"] = "planned"
    fields["talker_share"] = round(plan.talker_share, 4)
    fields["acoustic_share"] = round(plan.acoustic_share, 4)
    return json.dumps(fields, indent=1)
