"""Small parts that tests of scores share: what is heard, and waves that stand for speech."""

from __future__ import annotations

import numpy as np

from cosyvoice.nano.score.judging import Heard, Wave


def heard(edits: int, naturalness: float = 4.0, units: int = 10) -> Heard:
    return Heard("text", "heard", edits, units, naturalness, 1.0)


def babble(seconds: float, seed: int = 0, pitch_hz: float = 120.0) -> Wave:
    """A buzz through filters that change every 80 ms, with quiet edges: loud and never steady, as speech is."""
    rate, generator = 24000, np.random.default_rng(seed)
    at = np.arange(int(seconds * rate)) / rate
    parts = np.zeros_like(at)
    piece = np.minimum((at / 0.08).astype(int), int(seconds / 0.08))
    for harmonic in range(1, 30):
        gains = generator.uniform(0, 1, piece.max() + 1) / harmonic**0.5
        parts += gains[piece] * np.sin(2 * np.pi * pitch_hz * harmonic * at)
    edges = np.minimum(1, np.minimum(at, at[-1] - at) / 0.12)
    return np.asarray(0.1 * parts * edges**2, np.float32)
