"""Many utterances through the acoustic process's loop, with a talker that answers at once."""

from __future__ import annotations

import pytest

from bench.load.growth import churn
from cosyvoice.models import NANO
from rtserver.engine.acoustic.process import load
from rtserver.ipc.options import AcousticProcessOptions


@pytest.mark.model
def test_every_utterance_ends_and_memory_is_noted() -> None:
    """Also those that are cancelled; the curve has a point for every second one."""
    loaded = load(AcousticProcessOptions(str(NANO)), lambda text: None)
    curve = churn(loaded, utterances=6, side_by_side=2, every=2, seed=0)
    assert curve.utterances == [2, 4, 6]
    assert all(0 < used < resident for used, resident in zip(curve.used, curve.resident, strict=True))
