"""Which GPU the server has. The answer is PyTorch's, from a process of its own (`probe.py`)."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import msgspec

from rtserver.engine.api import EngineError
from rtserver.engine.card.cards import Card
from rtserver.processes.answer import answer_of

# What a machine with an NVIDIA driver has; the second is that of Windows' Linux.
DRIVER_FILES = (Path("/dev/nvidiactl"), Path("/dev/dxg"))
_PROBE = ("-m", "rtserver.engine.card.probe")
# Loading PyTorch from a slow disk may take a minute.
_PATIENCE_S = 120.0
_LOG = logging.getLogger(__name__)
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
    if card is None:
        if device == "cuda":
            raise EngineError('device: expected a GPU for "cuda", but this PyTorch finds none')
        _LOG.warning("there is an NVIDIA driver, but this PyTorch finds no GPU: the CPU serves (docs/gpu.md, Start)")
    return card


async def _probe(program: tuple[str, ...], patience_s: float) -> Card | None:
    try:
        out = await answer_of(program, os.environ, 1, patience_s)
    except TimeoutError:
        raise EngineError(f"the GPU did not answer within {patience_s:g} s; {_WITHOUT}") from None
    except OSError as error:
        raise EngineError(f"the GPU cannot be used ({error}); {_WITHOUT}") from None
    return msgspec.json.decode(out, type=Card | None)
