"""Turns the runbook's JSON into a cost table for the simulator.

    python -m bench.gpu.costs h100.json --name "one H100, measured" -o bench/simulator/costs/h100_measured.json
    python -m bench.simulator.capacity --costs h100_measured

What depends on the device is measured. What depends on the checkpoint or on people is as in the table of paper. Each
cost says where it is from.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.gpu.bench import Row
from bench.gpu.bench_sizes import BenchSizes
from bench.simulator.cost_table import (
    CHUNK_TOKENS,
    FRAMES_PER_TOKEN,
    LOOKAHEAD_TOKENS,
    TOKEN_S,
    CostTable,
    described,
    find_table,
)
from rtserver.engine.acoustic.calibration import FIRST_HOPS
from rtserver.schedule.first_hop import FirstHop, HopGrid, TalkerPace, first_hop_tokens

_PAPER = "h100_released_bf16"
_FRAMES = CHUNK_TOKENS * FRAMES_PER_TOKEN
_FRAME_S = TOKEN_S / FRAMES_PER_TOKEN
_STAGES = ("flow_step", "vocoder_step", "talker_step", "ceilings")
# Of a GPU's memory, beside weights: the talker's keys and values, and activations.
_TALKER_KV_BYTES, _ACTIVATION_BYTES = 4 << 30, 2 << 30

Cost = dict[str, Any]


class CostsError(ValueError):
    """The JSON does not have what a table needs."""


def cost_table(results: dict[str, Any], name: str) -> dict[str, Any]:
    """The table as its file has it. Raises CostsError."""
    stages = results.get("stages", {})
    if missing := [stage for stage in _STAGES if not stages.get(stage, {}).get("rows")]:
        raise CostsError(f"expected rows of the stages {list(_STAGES)}, found none of {missing}")
    costs: dict[str, Cost] = {
        key: {**cost, "source": f"as in {_PAPER}: {cost['source']}"}
        for key, cost in described(find_table(_PAPER))["costs"].items()
    }
    sizes = BenchSizes.of(small=results["small"])
    costs["euler_steps"] = {"value": sizes.flow.euler_steps, "source": "the runbook's model"}
    costs |= _flow(stages["flow_step"]["rows"])
    costs |= _vocoder(stages["vocoder_step"]["rows"], sizes.vocoder.sample_rate)
    costs |= _talker(stages["talker_step"]["rows"])
    device = stages["ceilings"]["rows"][0]
    costs["kv_budget_bytes"] = _kv_budget(device["free_mib"] << 20, costs)
    costs["first_hop_tokens"] = _first_hop(costs)
    return {
        "name": name,
        "kind": "measured",
        "device": "cuda" if results["device"].startswith("cuda") else "cpu",
        "machine": f"{device['device']}, torch {device['torch']}; random weights, bench.gpu",
        "commit": results["machine"]["commit"],
        "costs": costs,
    }


def _flow(rows: Sequence[Row]) -> dict[str, Cost]:
    """An Euler step: a line through the steps without context, and what context adds to them."""
    rows = _fastest([row for row in rows if "device_ms" in row], "hops", "context_s")
    first = _line([(row["hops"] * _FRAMES, row["device_ms"]) for row in rows if row["context_s"] == 0])
    added_s = [
        max(0.0, row["device_ms"] / 1000 - first[0] - first[1] * row["hops"] * _FRAMES)
        / (row["hops"] * row["context_s"])
        for row in rows
        if row["context_s"] > 0
    ]
    return {
        "step_s": _measured(first[0], "flow_step: where the line through steps without context begins"),
        "frame_s": _measured(first[1], "flow_step: the slope of that line"),
        "row_context_s": _measured(float(np.median(added_s)), "flow_step: median of what context adds to that line"),
    }


def _vocoder(rows: Sequence[Row], rate_hz: int) -> dict[str, Cost]:
    rows = _fastest([row for row in rows if not row["tf32"] and "streams" in row], "streams")
    call_s, frame_s = _line([(row["streams"] * _FRAMES, row["device_ms"]) for row in rows])
    withheld_s = _FRAMES * _FRAME_S - rows[0]["samples"] / rate_hz
    return {
        "vocoder_s": _measured(call_s, "vocoder_step: where the line through the calls begins"),
        "vocoder_frame_s": _measured(frame_s, "vocoder_step: the slope of that line"),
        "withheld_s": _measured(withheld_s, "vocoder_step: 50 frames less the samples that they gave"),
    }


def _talker(rows: Sequence[Row]) -> dict[str, Cost]:
    """vLLM's steps where they were measured. Otherwise those of the stand-in, whose time on the device is known."""
    begin_s = _line([(row["rows"], row["device_ms"]) for row in rows if row["what"] == "begin"])[1]
    quantum = _measured(begin_s, "talker_step: what each quantum adds where some begin (stand-in)")
    steps = {row["rows"]: row["wall_ms"] for row in rows if row["what"] == "step" and row["talker"] == "vllm"}
    if steps:
        who, host_s, source = "vLLM", 0.0, "talker_step: counted in vLLM's step, which ends on the host"
    else:
        walls = {row["rows"]: row["wall_ms"] for row in rows if row["what"] == "step"}
        parts = [_fastest([row for row in rows if row["what"] == part], "rows") for part in ("body", "sampler")]
        steps = {body["rows"]: body["device_ms"] + sampler["device_ms"] for body, sampler in zip(*parts, strict=True)}
        host_s = float(np.median([max(0.0, walls[count] - steps[count]) for count in steps])) / 1000
        who, source = "stand-in", "talker_step: a whole step less its time on the device, median (stand-in)"
    step_s, stream_s = _line(list(steps.items()))
    return {
        "talker_step_s": _measured(step_s, f"talker_step: where the line through the steps begins ({who})"),
        "talker_stream_s": _measured(stream_s, f"talker_step: the slope of that line ({who})"),
        "talker_host_s": _measured(host_s, source),
        "quantum_s": quantum,
    }


def _kv_budget(free_bytes: int, costs: dict[str, Cost]) -> Cost:
    if not free_bytes:
        return costs["kv_budget_bytes"]
    left = free_bytes - costs["weight_bytes"]["value"] - _TALKER_KV_BYTES - _ACTIVATION_BYTES
    return {"value": max(0, left), "source": "planned: measured free memory less weights, talker's K/V, activations"}


def _first_hop(costs: dict[str, Cost]) -> Cost:
    """As the server chooses it."""
    value = {name: cost["value"] for name, cost in costs.items()}
    step_s = value["step_s"] + _FRAMES * value["frame_s"]
    hop_s = value["euler_steps"] * step_s + value["vocoder_s"] + _FRAMES * value["vocoder_frame_s"]
    choices = [FirstHop(tokens, tokens * TOKEN_S - value["withheld_s"]) for tokens in FIRST_HOPS]
    pace = TalkerPace(value["talker_step_s"] + value["talker_stream_s"] + value["talker_host_s"], value["quantum_s"])
    grid = HopGrid(CHUNK_TOKENS, LOOKAHEAD_TOKENS, value["block_tokens"])
    tokens = first_hop_tokens(choices, pace, hop_s, grid)
    return {"value": tokens, "source": "what the server would choose with these costs"}


def _fastest(rows: Sequence[Row], *sizes: str) -> list[Row]:
    """For each size the row that took the device the least time: whatever path, graph or data type."""
    found: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        size = tuple(row[name] for name in sizes)
        if size not in found or row["device_ms"] < found[size]["device_ms"]:
            found[size] = row
    return [found[size] for size in sorted(found)]


def _line(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Size and milliseconds -> where the line through them begins, and its slope, in seconds. Neither is negative."""
    if len(points) < 2:
        raise CostsError(f"expected two sizes or more, found {len(points)}")
    sizes, times_ms = (np.array(values, dtype=float) for values in zip(*points, strict=True))
    slope, start = np.polyfit(sizes, times_ms, 1)
    if slope < 0:
        start, slope = times_ms.mean(), 0.0
    elif start < 0:
        start, slope = 0.0, (sizes * times_ms).sum() / (sizes**2).sum()
    return float(start) / 1000, float(slope) / 1000


def _measured(seconds: float, source: str) -> Cost:
    return {"value": float(f"{seconds:.4g}"), "source": f"measured, {source}"}


def main(arguments: list[str] | None = None) -> int:
    """Reads the JSON, writes the table and prints it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("json", type=Path)
    parser.add_argument("--name", required=True, help="what the table is called, in words")
    parser.add_argument("-o", "--output", type=Path, required=True)
    args = parser.parse_args(arguments)
    try:
        table = cost_table(json.loads(args.json.read_text(encoding="utf-8")), args.name)
    except CostsError as error:
        print(f"{args.json}: {error}", file=sys.stderr)
        return 1
    args.output.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    CostTable.load(args.output)
    for name, cost in table["costs"].items():
        print(f"{name:18}{cost['value']:>14}  {cost['source']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
