"""How long the prompts of users' recordings are kept on disk, and how many. Knows files only: no torch."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

# The folder in the cache.
RECORDINGS = "recordings"


@dataclass(frozen=True)
class KeepingLimits:
    """A prompt is the voice of a person, so it is not kept without end."""

    # Seconds after the last use.
    most_age_s: float = 30 * 86400.0
    # Of all files. The one that was not used for longest goes first.
    most_bytes: int = 128 << 20

    @property
    def keeps(self) -> bool:
        """Whether anything is kept at all."""
        return self.most_age_s > 0 and self.most_bytes > 0


def prune(folder: Path, limits: KeepingLimits, now_s: float) -> None:
    """Deletes what is too old, and the oldest of what is too much. `now_s` is the time of the day (time.time)."""
    found: list[tuple[float, int, str]] = []
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for entry in os.scandir(folder):
            with contextlib.suppress(FileNotFoundError):  # another process prunes too
                known = entry.stat(follow_symlinks=False)
                found.append((known.st_mtime, known.st_size, entry.path))
    left_bytes = limits.most_bytes
    for used_s, size_bytes, path in sorted(found, reverse=True):
        left_bytes -= size_bytes
        if left_bytes < 0 or used_s + limits.most_age_s <= now_s:
            Path(path).unlink(missing_ok=True)
