"""Draws measured loads. Each picture says that its figures are measured, and on which machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

if TYPE_CHECKING:
    from bench.load.calls.memory import Memory
    from bench.load.calls.steps import Sweep

_OFFERED = "offered load, audio seconds per second"
_DPI = 110
_MINUTE_S = 60.0


def draw_sweeps(sweeps: Sequence[Sweep], machine: Mapping[str, str], path: Path) -> None:
    """First audio, continuity, refusals and throughput over the offered load, one colour for each server."""
    figure = Figure(figsize=(12, 8.5), layout="constrained")
    service = sweeps[0].options.service
    figure.suptitle(f"Load stepped up until service breaks (measured)\n{_place(machine)}", fontsize=11)
    first, continuity, refused, sustained = figure.subplots(2, 2).flat
    for number, sweep in enumerate(sweeps):
        color = f"C{number}"
        _curve(first, sweep, lambda s: _seconds(s["ttfa_ms"]["p95"]), color, f"{sweep.name} (TTFA: p95)")
        _curve(first, sweep, lambda s: _seconds(s["ttfa_ms"]["p50"]), color, f"{sweep.name}, TTFA p50", style="o--")
        _curve(continuity, sweep, lambda s: _percent(s["continuity"]), color)
        _curve(refused, sweep, lambda s: _percent(s["refused_share"]), color)
        _curve(sustained, sweep, lambda s: s["sustained_audio_per_s"], color)
        for axes in (first, continuity, refused, sustained):
            _mark_limit(axes, sweep, color)
    _asked(first, service.ttfa_target_s, "what must hold")
    _asked(continuity, 100 * service.continuity)
    _asked(refused, 100 * service.refused)
    most = max(step.summary["offered_audio_per_s"] for sweep in sweeps for step in sweep.steps)
    sustained.plot([0, most], [0, most], color="grey", linewidth=1, linestyle=":", label="all offered sound")
    _readable_log(first)
    continuity.set_ylim(top=100.5)
    continuity.set_ylim(bottom=min(95.0, continuity.get_ylim()[0]))
    for axes, title, unit in (
        (first, "First audio, from the first text", "TTFA, s"),
        (continuity, "Turns heard without a gap", "continuity, % of accepted turns"),
        (refused, "Turns that were refused", "refused, % of turns"),
        (sustained, "Sound made", "sustained, audio seconds per second"),
    ):
        axes.set_xlim(left=0)
        _label(axes, title, _OFFERED, unit)
    lines = [*first.get_legend_handles_labels()[0], *sustained.get_legend_handles_labels()[0][-1:]]
    _legend(figure, lines, columns=4)
    figure.savefig(path, dpi=_DPI)


def draw_memory(memory: Memory, machine: Mapping[str, str], path: Path) -> None:
    """The resident memory of each process over time."""
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    minutes = [at_s / _MINUTE_S for at_s in memory.times_s]
    growth = memory.growth_mib_per_hour()
    for part, values in memory.mib.items():
        slope = f", {growth[part]:+.1f} MiB/h in the second half" if part in growth else ""
        known = [(at, mib) for at, mib in zip(minutes, values) if mib is not None]
        axes.plot([at for at, _ in known], [mib for _, mib in known], marker=".", label=f"{part}{slope}")
    axes.set_ylim(bottom=0)
    figure.suptitle(f"Resident memory under load (measured)\n{_place(machine)}", fontsize=11)
    _label(axes, "", "time, minutes", "resident memory, MiB")
    _legend(figure, axes.get_legend_handles_labels()[0], columns=2)
    figure.savefig(path, dpi=_DPI)


def _curve(
    axes: Axes,
    sweep: Sweep,
    figure_of: Callable[[dict[str, Any]], float | None],
    color: str,
    label: str | None = None,
    style: str = "o-",
) -> None:
    summaries = sorted((step.summary for step in sweep.steps), key=lambda s: float(s["offered_audio_per_s"]))
    points = [(s["offered_audio_per_s"], y) for s in summaries if (y := figure_of(s)) is not None]
    axes.plot([x for x, _ in points], [y for _, y in points], style, color=color, label=label, markersize=4)


def _mark_limit(axes: Axes, sweep: Sweep, color: str) -> None:
    if sweep.limit is not None:
        label = f"{sweep.name}, limit"
        axes.axvline(sweep.limit.summary["offered_audio_per_s"], color=color, linewidth=6, alpha=0.15, label=label)


def _asked(axes: Axes, value: float, label: str | None = None) -> None:
    axes.axhline(value, color="grey", linewidth=1, linestyle="--", label=label)


def _readable_log(axes: Axes) -> None:
    """A logarithmic axis with plain numbers."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(NullLocator())


def _label(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(alpha=0.3)


def _legend(figure: Figure, handles: list[Any], columns: int) -> None:
    """Puts the legend below the curves, so that it hides none."""
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, fontsize=8)


def _place(machine: Mapping[str, str]) -> str:
    return f"{machine['processor']}, {machine['cores']} cores, commit {machine['commit']}"


def _seconds(ms: float | None) -> float | None:
    return None if ms is None else ms / 1000


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share
