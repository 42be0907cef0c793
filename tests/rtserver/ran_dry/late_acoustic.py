"""The acoustic process, with a flow and a vocoder that a test can make late.

    python late_acoustic.py FOLDER ...

When the test writes a file `flow` or `vocoder` into the folder, with seconds in it, the next piece of work of that
stage takes so much longer.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from rtserver.engine.acoustic.loop import AcousticLoop
from rtserver.engine.acoustic.process import Loaded, deadline_loop, main
from rtserver.processes.inbox import Inbox
from rtserver.processes.port import Port

FOLDER = Path(sys.argv.pop(1))
T = TypeVar("T")
R = TypeVar("R")


def late(name: str, work: Callable[[T], R]) -> Callable[[T], R]:
    """The same work, but it takes longer when the test asks for it."""

    def worked(argument: T) -> R:
        asked = FOLDER / name
        if asked.exists():
            seconds = float(asked.read_text())
            asked.unlink()
            time.sleep(seconds)
        return work(argument)

    return worked


def late_loop(loaded: Loaded, port: Port, inbox: Inbox) -> AcousticLoop:
    models = loaded.models
    models.flow.tick = late("flow", models.flow.tick)  # type: ignore[assignment, method-assign]
    models.vocoder.decode = late("vocoder", models.vocoder.decode)  # type: ignore[assignment, method-assign]
    return deadline_loop(loaded, port, inbox)


if __name__ == "__main__":
    sys.exit(main(late_loop))
