"""A model directory with other values in its serving.json, so that every part that reads it sees them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cosyvoice.serving_config import SERVING_FILE


def overlaid(model: Path, serving: dict[str, Any], into: Path) -> Path:
    """Links the files of `model` in the empty directory `into`, which gets a serving.json of its own; returns `into`.
    `serving` takes the place of values, or adds some."""
    for path in model.iterdir():
        if path.name != SERVING_FILE:
            (into / path.name).symlink_to(path.resolve())
    path = model / SERVING_FILE
    said = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    (into / SERVING_FILE).write_text(json.dumps({**said, **serving}, ensure_ascii=False), encoding="utf-8")
    return into
