"""Tones in place of voices."""

from __future__ import annotations

import numpy as np

from rtserver.engine.tone import Tone, tone_of


def test_a_tone_goes_on_as_a_sine() -> None:
    """However it is cut and however long it is, it is the wave without a seam."""
    tone = Tone(217, 8000)
    at = np.arange(30_000)
    wave = (6000 * np.sin(2 * np.pi * 217 * at / 8000)).round()
    whole = np.frombuffer(tone.cut(0, 30_000), "<i2")
    assert np.abs(whole - wave).max() <= 1
    pieces = [(0, 1), (1, 7999), (8000, 0), (8000, 11_000), (19_000, 11_000)]
    assert b"".join(tone.cut(*piece) for piece in pieces) == whole.tobytes()


def test_a_name_has_its_tone() -> None:
    """The same each time, at every rate; most names have another."""
    names = [f"voice {seed}" for seed in range(20)]
    tones = {name: tone_of(name, 24000).cut(0, 24000) for name in names}
    assert all(tone_of(name, 24000).cut(0, 24000) == sound for name, sound in tones.items())
    assert len(set(tones.values())) > 15
    slow = np.frombuffer(tone_of(names[0], 12000).cut(0, 12000), "<i2")
    assert np.array_equal(slow, np.frombuffer(tones[names[0]], "<i2")[::2])
