"""Which GPU the server has. The answer is PyTorch's, from a process of its own (`probe.py`)."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import msgspec

from rtserver.engine.api import EngineError
from rtserver.engine.card.cards import Card
from rtserver.processes.environment import child_environment

# What a machine with an NVIDIA driver has; the second is that of Windows' Linux.
DRIVER_FILES = (Path("/dev/nvidiactl"), Path("/dev/dxg"))
_PROBE = ("-m", "rtserver.engine.card.probe")
# Loading PyTorch from a slow disk may take a minute.
_PATIENCE_S = 120.0
_WITHOUT = 'device = "cpu" goes without it'


async def ask_card(
    device: Literal["auto", "cpu", "cuda"],
    driver_files: Iterable[Path] = DRIVER_FILES,
    program: tuple[str, ...] = _PROBE,
    patience_s: float = _PATIENCE_S,
) -> Card | None:
    """The GPU that `device` means, or None for the CPU. On a machine without a driver nothing is started. Raises
    EngineError when the settings want a GPU and there is none."""
    if device == "cpu" or (device == "auto" and not any(file.exists() for file in driver_files)):
        return None
    card = await _probe(program, patience_s)
    if card is None and device == "cuda":
        raise EngineError('device: expected a GPU for "cuda", but this PyTorch finds none')
    return card


async def _probe(program: tuple[str, ...], patience_s: float) -> Card | None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *program,
        env=child_environment(os.environ, 1),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, told = await asyncio.wait_for(process.communicate(), patience_s)
    except TimeoutError:
        raise EngineError(f"the GPU did not answer within {patience_s:g} s; {_WITHOUT}") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        last = told.decode(errors="replace").strip().splitlines()[-1:] or ["nothing"]
        raise EngineError(f"the GPU cannot be used ({last[0]}); {_WITHOUT}")
    return msgspec.json.decode(out, type=Card | None)
