"""Golden fixtures: recorded numbers of the original that the code must reproduce."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from cosyvoice.errors import CheckpointError


@dataclass(frozen=True)
class Case:
    """One comparison: the largest absolute deviation found and the tolerance."""

    name: str
    deviation: float
    tolerance: float

    @property
    def passed(self) -> bool:
        return self.deviation <= self.tolerance  # False for NaN


class Golden:
    """A directory of fixtures: safetensors with JSON metadata, and JSON traces."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def tensors(self, name: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The tensors and the `json` metadata of NAME.safetensors. CheckpointError when it cannot be read."""
        path = self.directory / f"{name}.safetensors"
        try:
            with safe_open(path, "pt") as file:
                metadata = (file.metadata() or {}).get("json", "{}")
                return {k: file.get_tensor(k) for k in file.keys()}, json.loads(metadata)  # noqa: SIM118 (no mapping)
        except (FileNotFoundError, SafetensorError) as error:
            raise CheckpointError(f"{path}: expected a golden fixture, found {error}") from error

    def json(self, name: str) -> dict[str, Any]:
        """The content of NAME.json."""
        path = self.directory / f"{name}.json"
        try:
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError) as error:
            raise CheckpointError(f"{path}: expected a golden fixture, found {error}") from error
        return content


def deviation(ours: Tensor, golden: Tensor) -> float:
    """The largest absolute difference; infinite when the shapes differ."""
    if ours.shape != golden.shape:
        return float("inf")
    return float((ours.double() - golden.double()).abs().max())
