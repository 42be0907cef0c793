"""The capacity simulator: its search, its verdicts, its cost tables, and what it prints."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench.simulator.capacity import check_lines, table_lines
from bench.simulator.cost_table import COSTS, CostTable, find_table
from bench.simulator.ideas import IDEAS, Server, ideas_for
from bench.simulator.limit import Capacity, Service, find, most
from bench.simulator.load import Habits
from bench.simulator.making import Making
from bench.simulator.plots import draw
from bench.simulator.result import Summary, summarise

CPU = CostTable.load(find_table("cpu_2_cores_embedded"))
GPU = CostTable.load(find_table("h100_released_bf16"))
SERVICE = Service(ttfa_s=0.2, continuity=0.99)


def summary(streams: int, ttfa_s: float = 0.1, **change: float) -> Summary:
    """A load that brought this."""
    plain = summarise(streams, [], 0.0, 1.0, talker=0.5, flow=0.5, rows_per_step=1.0, memory_peak=0.2)
    brought = replace(plain, ttfa_p95_s=ttfa_s, text_ttfa_p95_s=2 * ttfa_s, memory_wait_p95_s=0.0)
    return replace(brought, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize("limit", [1, 7, 100, 233, 900])
@pytest.mark.parametrize("start", [1, 64, 500])
def test_the_search_finds_the_limit_from_anywhere(limit: int, start: int) -> None:
    """Within five percent, in a few runs; what it returns was tried and held."""
    found, tried = most(lambda n: summary(n, 0.1 if n <= limit else 0.3), SERVICE, start)
    assert 0.95 * limit - 1 <= found <= limit and len(tried) < 25
    assert SERVICE.holds(tried[found])


def test_a_server_that_carries_nobody_has_the_limit_0() -> None:
    """It was tried with one."""
    found, tried = most(lambda n: summary(n, 9.0), SERVICE, 64)
    assert found == 0 and 1 in tried


def test_service_holds_while_both_promises_do() -> None:
    """First audio by either clock, and continuity; a break is put down to memory first, then compute, then TTFA."""
    assert SERVICE.holds(summary(1, 0.2)) and not SERVICE.holds(summary(1, 0.21))
    assert not SERVICE.holds(summary(1, continuity=0.98))
    assert not replace(SERVICE, from_first_text=True).holds(summary(1, 0.15))
    assert SERVICE.broken_by(summary(1, 0.3)) == "TTFA"
    assert SERVICE.broken_by(summary(1, continuity=0.5)) == "compute"
    assert SERVICE.broken_by(summary(1, continuity=0.5, memory_wait_p95_s=1.0)) == "memory"


def test_every_line_of_every_table_says_where_it_is_from() -> None:
    """And a measured table names its machine and commit."""
    paths = sorted(COSTS.glob("*.json"))
    assert len(paths) >= 2
    for path in paths:
        table, raw = CostTable.load(path), json.loads(path.read_text(encoding="utf-8"))
        assert raw["machine"] and (table.kind == "paper" or raw["commit"])
        assert table.kind in table.told and table.told.startswith("simulated")


def test_a_bad_table_says_what_is_wrong(tmp_path: Path) -> None:
    """A missing line, a line without source, an unknown kind, an unknown name."""
    raw = json.loads(find_table("cpu_2_cores_embedded").read_text(encoding="utf-8"))
    bad = tmp_path / "bad.json"
    for change, message in (
        ({"costs": {k: v for k, v in raw["costs"].items() if k != "step_s"}}, "expected the costs"),
        ({"costs": {**raw["costs"], "step_s": {"value": 1.0}}}, "a source for every cost"),
        ({"kind": "guessed"}, "expected kind measured or paper"),
    ):
        bad.write_text(json.dumps({**raw, **change}), encoding="utf-8")
        with pytest.raises(ValueError, match=message):
            CostTable.load(bad)
    with pytest.raises(FileNotFoundError, match="h100_released_bf16"):
        find_table("nothing")


def test_fp8_halves_memory_and_speeds_up_matrices() -> None:
    """What launches bind stays as it is."""
    fp8 = GPU.in_fp8()
    assert fp8.kv_bytes_per_s == GPU.kv_bytes_per_s / 2 and fp8.frame_s == pytest.approx(GPU.frame_s / 1.7)
    assert fp8.step_s == GPU.step_s and fp8.talker_step_s == GPU.talker_step_s
    assert fp8.kv_budget_bytes > GPU.kv_budget_bytes


def test_every_idea_changes_the_server() -> None:
    """Names and texts are their own; those for a GPU are not asked on a CPU."""
    server = Server(GPU, Habits(), Making(reserve_s=6.0))
    assert len({idea.name for idea in IDEAS}) == len({idea.told for idea in IDEAS}) == len(IDEAS)
    for name, idea in ideas_for(GPU).items():
        assert (idea.change(server) == server) == (name == "ours")
    assert "fp8" in ideas_for(GPU) and "fp8" not in ideas_for(CPU) and "hop-12" not in ideas_for(CPU)


@pytest.mark.model
def test_our_schedule_carries_more_than_the_baselines_on_two_cores() -> None:
    """First come first served in whole chunks carries less, the original nobody."""
    server = Server(CPU, Habits(pieces_per_s=20.0), Making(reserve_s=6.0))
    limits = {name: find(name, server, Service(1.5, 0.99), 2).limit for name in ("ours", "first-come", "original")}
    assert limits["ours"] > limits["first-come"] >= 1 and limits["original"] == 0


@pytest.mark.model
def test_what_was_measured_is_near_what_is_simulated() -> None:
    """On the machine of the measured table: sound made within 15 percent, first audio within 40."""
    lines, rows = check_lines(Server(CPU, Habits(), Making()), find_table("cpu_2_cores_embedded"))
    assert len(lines) == len(rows) + 1 == 6
    for row in rows:
        simulated, measured = row["simulated"], row["measured"]
        assert simulated["audio_per_s"] == pytest.approx(measured["audio_per_s"], rel=0.15)
        assert simulated["text_ttfa_p50_s"] == pytest.approx(measured["ttfa_p50_s"], rel=0.4)
    with pytest.raises(ValueError, match="no measured loads"):
        check_lines(Server(GPU, Habits(), Making()), find_table("h100_released_bf16"))


def test_every_line_and_the_picture_say_simulated(tmp_path: Path) -> None:
    """And which costs; a server that carries nobody has a line too."""
    found = [
        Capacity("ours", "ours", 200, summary(200), "TTFA", [summary(100), summary(200), summary(240, 0.4)]),
        Capacity("original", "the original's policy", 0, None, "TTFA", [summary(1, 3.0)]),
    ]
    head, *lines = table_lines(found, "paper", SERVICE)
    assert "p95 TTFA, ms" in head and len(lines) == 2
    assert all(line.startswith("simulated (paper costs)") for line in lines)
    assert lines[0].split()[-7:] == ["200", "0", "1.00", "100", "100.0", "20", "TTFA"]
    draw(found, GPU.told, 0.2, 0.99, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
