"""Where models and what is derived from them lie: names of model directories, and the cache."""

from __future__ import annotations

import os
from pathlib import Path

from cosyvoice.errors import CheckpointError

NANO = Path(__file__).parent / "nano" / "weights"
DATA = Path(__file__).parent / "data"


def resolve_model(name: str | Path) -> Path:
    """The model directory for `nano` or a path. CheckpointError when there is none."""
    if str(name) == "nano":
        return NANO
    path = Path(name).expanduser()
    if not path.is_dir():
        raise CheckpointError(f"{path}: expected a model directory (or the word nano), found no such directory")
    return path


def default_cache_dir() -> Path:
    """Where derived files are kept: $XDG_CACHE_HOME or ~/.cache, in a folder of this project."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "cosyvoice-rtserver"
