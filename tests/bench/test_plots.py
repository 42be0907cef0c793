"""Pictures are made; what they look like is for eyes."""

from __future__ import annotations

from pathlib import Path

from bench.load.calls.memory import Memory
from bench.load.calls.report import summarise
from bench.load.calls.steps import Step, Sweep, SweepOptions
from bench.load.plots import draw_memory, draw_sweeps
from tests.bench.loads import heard, load

MACHINE = {"processor": "any", "cores": "2", "commit": "abc"}
PNG = b"\x89PNG"


def test_sweeps_are_drawn_though_figures_are_missing(tmp_path: Path) -> None:
    """Several servers, a step in which nothing was measured, one without a limit."""
    good, empty = summarise(load(*[heard()] * 3)), summarise(load())
    ours = Sweep("ours", SweepOptions((2.0, 4.0)), [Step(2.0, good, []), Step(4.0, empty, ["no turn began"])])
    other = Sweep("other", SweepOptions((2.0,)), [Step(2.0, good, ["continuity 98.0 %"])])
    draw_sweeps([ours, other], MACHINE, tmp_path / "sweep.png")
    assert (tmp_path / "sweep.png").read_bytes().startswith(PNG)


def test_memory_is_drawn(tmp_path: Path) -> None:
    """With a process that came later."""
    memory = Memory()
    memory.add(0.0, {"front": 80.0})
    for at_s in (10.0, 20.0, 30.0):
        memory.add(at_s, {"front": 80.0, "talker": 500.0 + at_s})
    draw_memory(memory, MACHINE, tmp_path / "memory.png")
    assert (tmp_path / "memory.png").read_bytes().startswith(PNG)
