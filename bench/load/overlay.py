"""A model directory with other values in its serving.json. All parts that read it see these values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cosyvoice.serving_config import SERVING_FILE


def overlaid(model: Path, serving: dict[str, Any], into: Path) -> Path:
    """Fills the empty directory `into` with links to the files of `model` and with its own serving.json. The values of
    `serving` replace those of the model or are added. Returns `into`."""
    for path in model.iterdir():
        if path.name != SERVING_FILE:
            (into / path.name).symlink_to(path.resolve())
    path = model / SERVING_FILE
    said = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    (into / SERVING_FILE).write_text(json.dumps({**said, **serving}, ensure_ascii=False), encoding="utf-8")
    return into
