"""The table `size`: what a model weighs, and how fast a server makes sound with it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from cosyvoice.nano.score.table import Scoring

SPEED_FILE = "offline.json"  # of bench/load/offline.py


@dataclass(frozen=True)
class SizeRow:
    """bytes of each file of the model directory. audio_per_s: seconds of sound a second of the server with all cores;
    None where it was not measured."""

    bytes: int
    files: dict[str, int]
    audio_per_s: float | None

    def line(self) -> str:
        files = ", ".join(f"{name} {_mb(size)}" for name, size in list(self.files.items())[:6])
        speed = "not measured" if self.audio_per_s is None else f"{self.audio_per_s:.1f} s of sound a second"
        return f"size {_mb(self.bytes)} MB ({files}); speed {speed}"


def table(scoring: Scoring) -> list[SizeRow]:
    """One row. The speed is read from WORK/score/LABEL/offline.json, where bench/load/offline.py may have put it."""
    found = scoring.work / "score" / scoring.label / SPEED_FILE
    speed = json.loads(found.read_text(encoding="utf-8"))["server"]["audio_per_s"] if found.exists() else None
    return [row(scoring.model, speed)]


def row(model: Path, audio_per_s: float | None) -> SizeRow:
    """Files of `model`, the largest first."""
    sizes = {str(path.relative_to(model)): path.stat().st_size for path in model.rglob("*") if path.is_file()}
    files = dict(sorted(sizes.items(), key=lambda item: -item[1]))
    return SizeRow(sum(files.values()), files, audio_per_s)


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f}"
