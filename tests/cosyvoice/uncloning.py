"""A checkpoint that clones nobody: the embedded one without its speaker encoder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from cosyvoice.models import NANO
from cosyvoice.serving_config import SERVING_FILE

MODES = ("sft", "vc", "instruct")


def without_speaker_encoder(directory: Path) -> Path:
    """Writes it to a directory that is not there yet."""
    shutil.copytree(NANO, directory, ignore=shutil.ignore_patterns("campplus.onnx"))
    serving = json.loads((directory / SERVING_FILE).read_text(encoding="utf-8"))
    (directory / SERVING_FILE).write_text(json.dumps(serving | {"modes": MODES}), encoding="utf-8")
    return directory
