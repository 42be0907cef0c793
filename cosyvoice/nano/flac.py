"""Sound kept on disk: 24 kHz, 16 bit, without loss."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from cosyvoice.voice.features import MEL_RATE_HZ


def write_flac(path: Path, wave: NDArray[np.float32]) -> None:
    """Writes a wave at 24 kHz [samples], and the folders above it; a crash leaves the whole file or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    soundfile.write(unfinished, wave, MEL_RATE_HZ, format="FLAC", subtype="PCM_16")
    unfinished.replace(path)
