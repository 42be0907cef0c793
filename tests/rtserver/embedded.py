"""The server with the embedded voice, as people start it."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

FROM_SOURCE = (sys.executable, "-m", "rtserver")


@contextlib.contextmanager
def embedded_server(cache: Path, program: Sequence[str | Path] = FROM_SOURCE, **options: Any) -> Iterator[str]:
    """Its URL, as soon as it listens: it is still loading then. Only English is warm. options: of the process."""
    command = [*program, "serve", "--port", "0", "--language", "en", "--cache-dir", cache]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith("listening on "), line
        yield line.removeprefix("listening on ").strip()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        process.stdout.close()
