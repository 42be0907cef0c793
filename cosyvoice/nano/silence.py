"""Which speech codes are silence, as the corpus has them."""

from __future__ import annotations

import numpy as np

from cosyvoice.nano.data.codes import CodeStore
from cosyvoice.nano.data.store import FRAMES_PER_CODE, FeatureStore

_QUIET = -5.2  # mean log mel of a frame; speech is about -3.9, pauses of the teachers -8 to -6
_SELDOM = 0.1  # the part of a silent code's occurrences that may be louder
_FEWEST = 20  # occurrences


def silent_codes(features: FeatureStore, codes: CodeStore) -> list[int]:
    """The codes that are said where it is quiet in the corpus."""
    known = codes.entries
    said = np.concatenate([codes.codes(entry) for entry in known])
    levels = np.concatenate([features.mel(entry).mean(1, dtype=np.float32) for entry in known])
    loud = levels.reshape(-1, FRAMES_PER_CODE).max(1) > _QUIET
    times, louder = np.bincount(said), np.bincount(said, weights=loud)
    return [int(code) for code in np.flatnonzero((times >= _FEWEST) & (louder <= _SELDOM * times))]
