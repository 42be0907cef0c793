"""The runbook's rows as costs, with rows of which the answer is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.gpu.costs import CostsError, cost_table


def results() -> dict[str, Any]:
    """A device with a step of 1 ms and .01 ms a frame, and .1 ms for a second of a hop's context."""
    flow = [
        {"hops": hops, "context_s": context_s, "device_ms": 1 + 0.5 * hops + 0.1 * hops * context_s}
        for hops in (1, 2, 4)
        for context_s in (0, 3)
    ]
    slow = [{**row, "device_ms": 3 * row["device_ms"]} for row in flow]
    vocoder = [
        {"streams": n, "tf32": tf32, "samples": 21600, "device_ms": (2 + n) / (1 + tf32)}
        for n in (1, 2, 4)
        for tf32 in (False, True)
    ]
    talker = [
        {"talker": "stand-in", "rows": n, "what": what, key: time_ms}
        for n in (1, 8)
        for what, key, time_ms in (
            ("step", "wall_ms", 3.5 + 0.1 * n),
            ("body", "device_ms", 2 + 0.1 * n),
            ("sampler", "device_ms", 1.0),
            ("begin", "device_ms", 1 + 0.2 * n),
        )
    ]
    ceilings = [{"what": "device", "device": "NVIDIA X", "torch": "2.13.0", "free_mib": 20 << 10}]
    rows = {"flow_step": [*slow, *flow], "vocoder_step": vocoder, "talker_step": talker, "ceilings": ceilings}
    stages = {name: {"rows": found} for name, found in rows.items()}
    return {"device": "cuda", "small": False, "machine": {"commit": "abc"}, "stages": stages}


def values(found: dict[str, Any]) -> dict[str, float]:
    """Of the costs of a table."""
    return {name: cost["value"] for name, cost in cost_table(found, "X")["costs"].items()}


def test_lines_through_the_rows_are_the_costs() -> None:
    """The fastest path counts, and TF32 does not."""
    costs = values(results())
    assert costs["step_s"] == pytest.approx(0.001) and costs["frame_s"] == pytest.approx(1e-5)
    assert costs["row_context_s"] == pytest.approx(1e-4)
    assert costs["vocoder_s"] == pytest.approx(0.002) and costs["vocoder_frame_s"] == pytest.approx(2e-5)
    assert costs["withheld_s"] == pytest.approx(0.1)
    assert costs["kv_budget_bytes"] == (20 << 30) - 1_400_000_000 - (6 << 30)


def test_the_stand_in_tells_how_long_the_host_works() -> None:
    """A step's time on the device is that of body and sampler."""
    costs = values(results())
    assert costs["talker_step_s"] == pytest.approx(0.003) and costs["talker_stream_s"] == pytest.approx(1e-4)
    assert costs["talker_host_s"] == pytest.approx(0.0005) and costs["quantum_s"] == pytest.approx(2e-4)


def test_vllm_counts_where_it_was_measured() -> None:
    """Its steps by the host's clock."""
    found = results()
    found["stages"]["talker_step"]["rows"] += [
        {"talker": "vllm", "rows": n, "what": "step", "wall_ms": 5 + 0.5 * n} for n in (1, 8)
    ]
    costs = values(found)
    assert costs["talker_step_s"] == pytest.approx(0.005) and costs["talker_host_s"] == 0


@pytest.mark.parametrize("stage", ["flow_step", "vocoder_step", "talker_step", "ceilings"])
def test_a_result_without_a_stage_is_refused(stage: str, tmp_path: Path) -> None:
    """The error names it."""
    found = results()
    found["stages"][stage] = {"rows": [], "error": "not done within 60 s"}
    with pytest.raises(CostsError, match=stage):
        cost_table(found, "X")
