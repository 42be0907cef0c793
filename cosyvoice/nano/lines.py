"""Files of lines that only grow. A crash may cut the last one off: it is not read, and the next one takes its place."""

from __future__ import annotations

import os
from pathlib import Path


def whole_lines(path: Path) -> list[str]:
    """All lines that were written to their end, without it; none when there is no file."""
    whole = path.read_bytes().rpartition(b"\n")[0].decode() if path.exists() else ""
    return whole.split("\n") if whole else []


def append_line(path: Path, line: str) -> None:
    """Adds a line (without its end), for good when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as file:
        end = file.seek(0, os.SEEK_END)
        if end:
            file.seek(end - 1)
            if file.read(1) != b"\n":
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)
        file.write(line.encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
