"""Voices as vectors: the encoder's looks at a wave, and whose voice is nearest."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from cosyvoice.nano.score.likeness import Likeness, nearest, partials
from cosyvoice.voice.features import resample
from cosyvoice.voice.recording import Wave, read_wave
from cosyvoice.voice.store import SHIPPED_VOICES

needs_resemblyzer = pytest.mark.skipif(
    importlib.util.find_spec("resemblyzer") is None, reason="Resemblyzer is not installed"
)


def shipped(name: str) -> tuple[Wave, int]:
    return read_wave(Path(SHIPPED_VOICES / f"{name}.wav"))


def test_looks_overlap_and_cover_the_wave() -> None:
    """160 frames every 77; a last look of which less than three quarters are sound is left out, an only one never."""
    assert partials(4000) == [0]
    assert partials(160 * 160) == [0]
    assert partials(160 * (77 + 130)) == [0, 77]
    assert partials(160 * (77 + 110)) == [0]


def test_the_nearest_and_the_best_of_the_rest() -> None:
    """Cosines to the own voice and to the nearest other; known when the own one is nearest."""
    others = [np.array(v, np.float32) for v in ([1, 0], [0, 1], [0.6, 0.8])]
    known, own, rest = nearest(np.array([0.8, 0.6], np.float32), others, 2)
    assert known and [own, rest] == pytest.approx([0.96, 0.8])
    known, own, rest = nearest(np.array([0.8, 0.6], np.float32), others, 1)
    assert not known and [own, rest] == pytest.approx([0.6, 0.96])


@needs_resemblyzer
def test_halves_of_a_recording_are_alike_and_others_are_not() -> None:
    """Unit vectors; each half is nearer to the other half than to any other voice; loudness does not matter."""
    likeness = Likeness()
    vectors = {}
    for name in ("en_female", "en_male", "zh_male"):
        wave, rate_hz = shipped(name)
        middle = len(wave) // 2
        vectors[name] = [likeness(wave[:middle], rate_hz), likeness(wave[middle:], rate_hz)]
        quiet, quieter = (likeness(wave[:middle] * np.float32(gain), rate_hz) for gain in (0.05, 0.01))
        assert np.linalg.norm(quiet) == pytest.approx(1.0, abs=1e-5) and quiet @ quieter > 0.999
    second = [pair[1] for pair in vectors.values()]
    for number, (first, _) in enumerate(vectors.values()):
        assert nearest(first, second, number)[0]


@needs_resemblyzer
def test_waves_of_any_rate_and_length_have_a_vector() -> None:
    """A quarter of a second, at another rate."""
    import torch

    wave, rate_hz = shipped("en_female")
    short = resample(torch.from_numpy(wave[rate_hz : rate_hz * 5 // 4]), rate_hz, 16000).numpy()
    assert Likeness()(short, 16000).shape == (256,)
