"""The record of what .venv holds: one digest for each group that is completely installed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

# Raise it when the set-up changes and must check existing environments again.
FORMAT = 1


def digest(parts: Iterable[bytes]) -> str:
    """A digest of `parts` and FORMAT. Parts are kept apart: ("ab", "c") differs from ("a", "bc")."""
    state = hashlib.sha256(str(FORMAT).encode())
    for part in parts:
        state.update(len(part).to_bytes(8, "big") + part)
    return state.hexdigest()


def read_stamp(path: Path) -> dict[str, str]:
    """Group -> digest. Empty if the stamp is missing or cannot be read: then all groups are installed again."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(raw, dict):
        return {}
    return {str(group): str(value) for group, value in raw.items()}


def write_stamp(path: Path, done: Mapping[str, str]) -> None:
    """Replaces the stamp in one step: after an interruption there is either the old one or the new one."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(done, indent=1) + "\n", encoding="utf-8")
    os.replace(part, path)


def stale(wanted: Iterable[str], digests: Mapping[str, str], done: Mapping[str, str]) -> list[str]:
    """The groups of `wanted`, in order, that are not installed, or whose files have changed since."""
    return [group for group in wanted if done.get(group) != digests[group]]
