"""Draws the results of front.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.axes import Axes

_LABELS = {"ours": "this front,\nfake engine", "bare": "aiohttp,\nbare loop", "fastapi": "FastAPI,\nuvicorn"}
_COLOURS = {"ours": "#2b6cb0", "bare": "#718096", "fastapi": "#b7791f"}
_LAG_TARGET_MS = 5.0


def draw(results: dict[str, Any], path: Path) -> None:
    """One picture: the cost of a frame at saturation, and how late the loop is in real time."""
    parts = [name for name in ("saturation", "paced") if name in results]
    figure, axes = pyplot.subplots(1, len(parts), figsize=(6.4 * len(parts), 4.8), squeeze=False)
    for axis, name in zip(axes[0], parts):
        (_saturation if name == "saturation" else _paced)(axis, results[name])
        axis.grid(axis="y", alpha=0.3)
        axis.set_axisbelow(True)
    figure.suptitle("What the front costs (measured, one core; frames of 100 ms of 24 kHz PCM)")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def _saturation(axis: Axes, found: dict[str, Any]) -> None:
    names = list(found["servers"])
    for at, name in enumerate(names):
        figures = found["servers"][name]
        rounds = [r["frames_per_cpu_s"] / 1000 for r in figures["rounds"]]
        axis.bar(at, figures["frames_per_cpu_s"] / 1000, 0.6, color=_COLOURS[name])
        axis.plot([at] * len(rounds), rounds, "o", color="black", markersize=3, label="one round" if at == 0 else None)
        ratio = f"\nours: {found['ours_to'][name]:.0%} of it" if name in found["ours_to"] else ""
        axis.annotate(
            f"{figures['frames_per_cpu_s'] / 1000:.1f}{ratio}", (at, max(rounds)), xytext=(0, 5),
            textcoords="offset points", ha="center", fontsize=9,
        )  # fmt: skip
    axis.margins(y=0.18)
    _name(axis, names)
    axis.set_ylabel("thousand frames per second of CPU time")
    axis.set_title(f"As fast as the client reads, {found['connections']} connections", fontsize=10)
    axis.legend(loc="lower right", fontsize=8)


def _paced(axis: Axes, found: dict[str, Any]) -> None:
    names = list(found["servers"])
    kinds = {"p50": 0.35, "p99": 0.65, "max": 1.0}
    for at, name in enumerate(names):
        figures = found["servers"][name]
        for offset, (kind, alpha) in zip((-0.25, 0.0, 0.25), kinds.items()):
            lag_ms = max(figures["loop_lag_ms"][kind], 0.01)
            axis.bar(at + offset, lag_ms, 0.23, color=_COLOURS[name], alpha=alpha)
            axis.annotate(
                f"{kind}\n{lag_ms:.1f}", (at + offset, lag_ms), xytext=(0, 3), textcoords="offset points",
                ha="center", fontsize=8,
            )  # fmt: skip
    axis.set_yscale("log")
    axis.margins(y=0.18)
    axis.axhline(_LAG_TARGET_MS, color="#c53030", linestyle="--", linewidth=1, label="target for p99: 5 ms")
    _name(axis, [f"{_LABELS[name]}\n{found['servers'][name]['server_cores']:.0%} of the core" for name in names])
    axis.set_ylabel("event loop late by, ms")
    axis.set_title(f"{found['sessions']} sessions in real time, 10 frames a second each", fontsize=10)
    axis.legend(loc="upper right", fontsize=8)


def _name(axis: Axes, names: list[str]) -> None:
    axis.set_xticks(range(len(names)), [_LABELS.get(name, name) for name in names], fontsize=9)
