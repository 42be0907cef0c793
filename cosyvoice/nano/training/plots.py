"""Losses over steps as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

_WIDTH, _HEIGHT = 6.0, 2.6  # inches, of one loss


def draw_losses(history: Sequence[dict[str, Any]], title: str, path: Path) -> None:
    """A panel for each loss: dots from training, lines from what is held out."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = [name for name in dict.fromkeys(key for entry in history for key in entry) if name not in ("step", "kind")]
    if not names:
        return
    figure, panels = pyplot.subplots(len(names), 1, figsize=(_WIDTH, _HEIGHT * len(names)), squeeze=False)
    for panel, name in zip(panels[:, 0], names):
        for kind, style in (("training", "."), ("held out", "-o")):
            points = [(entry["step"], entry[name]) for entry in history if entry["kind"] == kind and name in entry]
            if points:
                steps, losses = zip(*points)
                panel.plot(steps, losses, style, markersize=3, label=kind)
        panel.set_title(f"{title}: {name}")
        panel.set_xlabel("steps")
        panel.set_ylabel("loss")
        panel.legend()
        panel.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    pyplot.close(figure)
