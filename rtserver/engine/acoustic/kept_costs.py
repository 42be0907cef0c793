"""What calibration measured, and the file in which it is kept for the next start."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rtserver.schedule.costs import Costs

# Raise this when calibration measures something else.
_VERSION = 2


@dataclass(frozen=True)
class MeasuredSize:
    """So many frames side by side."""

    frames: int
    # An Euler step.
    step_s: float
    vocoder_s: float


@dataclass(frozen=True)
class MeasuredCosts:
    """The result of a calibration."""

    sizes: tuple[MeasuredSize, ...]
    # How much of a hop's sound the vocoder keeps back.
    withheld_s: float

    def put_into(self, costs: Costs) -> None:
        """Sets what was measured."""
        for size in self.sizes:
            costs.calibrate("step", size.frames, size.step_s)
            costs.calibrate("vocoder", size.frames, size.vocoder_s)

    @classmethod
    def load(cls, path: Path) -> MeasuredCosts | None:
        """None when there is no such file, or it cannot be read: then it is measured again."""
        try:
            kept = json.loads(path.read_bytes())
            sizes = (MeasuredSize(int(s["frames"]), float(s["step_s"]), float(s["vocoder_s"])) for s in kept["sizes"])
            return cls(tuple(sizes), float(kept["withheld_s"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None


def keep(path: Path, content: object) -> None:
    """Writes a JSON file that is whole or not there. A folder that cannot be written is no error: the next start then
    measures again."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".new")
        temporary.write_text(json.dumps(content), encoding="utf-8")
        temporary.replace(path)
    except OSError:
        return


def costs_file(folder: Path, what: Mapping[str, str]) -> Path:
    """The file for a machine and a model. what: everything that costs depend on, in words: the device, hashes of the
    weights, versions, data types. Another of these has another file."""
    text = json.dumps({"version": str(_VERSION), **what}, sort_keys=True)
    return folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"
