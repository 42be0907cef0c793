"""Draws simulated results. Each picture says that it is simulated, and from which costs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from bench.simulator.ideas import IDEAS

if TYPE_CHECKING:
    from bench.simulator.limit import Capacity

_CURVES = [idea.name for idea in IDEAS if idea.curve]


def draw(capacities: Sequence[Capacity], told: str, ttfa_s: float, continuity: float, path: Path) -> None:
    """First audio and continuity over the load, one curve for each policy, and the limit of each as a bar."""
    figure = Figure(figsize=(14, 9), layout="constrained")
    figure.suptitle(f"Conversations on one device\n{told}", fontsize=12)
    grid = figure.add_gridspec(2, 2, width_ratios=(1.15, 1))
    first = figure.add_subplot(grid[0, 0])
    heard = figure.add_subplot(grid[1, 0])
    _curves(first, capacities, [[1000 * s.ttfa_p95_s for s in c.tried] for c in capacities])
    _curves(heard, capacities, [[100 * s.continuity for s in c.tried] for c in capacities])
    _target(first, 1000 * ttfa_s)
    _target(heard, 100 * continuity)
    first.set_yscale("log")
    first.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    first.yaxis.set_major_formatter("{x:g}")
    first.yaxis.set_minor_formatter(NullFormatter())
    _label(first, "First audio (simulated)", "conversations", "p95 TTFA from enough text, ms")
    _label(heard, "Replies heard without a gap (simulated)", "conversations", "continuity, %")
    _bars(figure.add_subplot(grid[:, 1]), capacities)
    figure.legend(*first.get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=9)
    figure.savefig(path, dpi=110)


def _curves(axes: Axes, capacities: Sequence[Capacity], values: Sequence[Sequence[float]]) -> None:
    for capacity, ys in zip(capacities, values, strict=True):
        if capacity.idea in _CURVES:
            number = _CURVES.index(capacity.idea)
            xs = [summary.streams for summary in capacity.tried]
            width = 2.5 if number == 0 else 1.2
            axes.plot(xs, ys, "o-", color=f"C{number}", linewidth=width, markersize=4, label=capacity.told)


def _bars(axes: Axes, capacities: Sequence[Capacity]) -> None:
    limits = [capacity.limit for capacity in capacities]
    colors = ["C0" if capacity.idea == "ours" else "0.6" for capacity in capacities]
    bars = axes.barh([capacity.told for capacity in capacities], limits, color=colors)
    talking = [
        f" {c.limit} ({c.at_limit.talking:.0f} at once), then {c.breaks}" if c.at_limit is not None else " none"
        for c in capacities
    ]
    axes.bar_label(bars, talking, fontsize=9)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.75 * max(1, *limits))
    axes.set_title("The limit, and what breaks above it (simulated)", fontsize=11)
    axes.set_xlabel("conversations at the limit (talking at once)")
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)


def _target(axes: Axes, at: float) -> None:
    axes.axhline(at, color="black", linestyle=":", linewidth=1)
    axes.annotate("target", (0.995, at), xycoords=("axes fraction", "data"), fontsize=8, va="bottom", ha="right")


def _label(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_title(title, fontsize=11)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(alpha=0.3)
