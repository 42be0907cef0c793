"""Faults of spoken sentences: each is found where it is, and not in sound that changes as speech does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cosyvoice.nano.score.faults import FaultMeasures, faults, longest_run, measured, repeated
from cosyvoice.voice.recording import read_wave
from cosyvoice.voice.store import SHIPPED_VOICES
from tests.cosyvoice.nano.score.parts import babble

USUAL_S = 0.064
GOOD = FaultMeasures(seconds=2.0, text_ids=30, longest_silence_s=0.2, steady_s=0.1, end=0.01)


def named(found: FaultMeasures, error: float = 0.0, heard: str = "abc", *, short: bool = False) -> tuple[str, ...]:
    return faults(found, USUAL_S, error, "abc", heard, short=short)


def test_speech_has_no_faults() -> None:
    """Neither real recordings nor babble."""
    assert named(GOOD) == ()
    for name in ("en_female", "en_male", "zh_female", "zh_male"):
        wave, _ = read_wave(SHIPPED_VOICES / f"{name}.wav")
        assert named(measured(wave, 45)) == (), name
    assert named(measured(babble(2.0), 30)) == ()


def test_a_drone_is_found() -> None:
    """Sound that stays what it is for more than half a second; silence that stays is none."""
    at = np.arange(24000) / 24000
    drone = np.asarray(0.1 * np.sin(2 * np.pi * 150 * at) + 0.05 * np.sin(2 * np.pi * 300 * at), np.float32)
    found = measured(np.concatenate([babble(1.0), drone, babble(1.0)]), 45)
    assert 0.8 < found.steady_s < 1.2 and "drone" in named(found)
    quiet = measured(np.concatenate([babble(1.0), np.zeros(16000, np.float32), babble(1.0)]), 45)
    assert quiet.steady_s < 0.3


def test_a_gap_is_one_between_sounds() -> None:
    """Silence at the ends is none."""
    silence = np.zeros(36000, np.float32)
    inside = measured(np.concatenate([babble(1.0), silence, babble(1.0)]), 50)
    assert inside.longest_silence_s == pytest.approx(1.5, abs=0.1) and named(inside) == ("gap",)
    around = measured(np.concatenate([silence, babble(2.0), silence]), 80)
    assert around.longest_silence_s < 0.1 and named(around) == ()


def test_a_cut_ends_loudly() -> None:
    """A wave that stops amid a sound."""
    whole = babble(2.0)
    assert named(measured(whole[:36000], 24)) == ("cut",)
    assert measured(whole, 30).end < 0.1


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"seconds": 1.0}, ("too short",)),
        ({"seconds": 3.6}, ("too long",)),
        ({"seconds": 0.65, "text_ids": 4}, ()),  # one word, with the silence around it
        ({"steady_s": 0.6, "longest_silence_s": 1.2}, ("gap", "drone")),
    ],
)
def test_lengths_are_judged_by_text_ids(change: dict[str, float], expected: tuple[str, ...]) -> None:
    """A word left out or said twice shows in the length; short texts may have silence around them."""
    assert named(replace(GOOD, **change)) == expected  # type: ignore[arg-type]


def test_words_and_repetition_are_of_what_is_heard() -> None:
    """A quarter of the letters may be wrong, of single words more; words said twice are a fault if not meant."""
    assert named(GOOD, 0.3) == ("words",) and named(GOOD, 0.3, short=True) == ()
    assert named(GOOD, heard="sheclosedsheclosed") == ("repetition",)
    assert faults(GOOD, USUAL_S, 0.0, "sheclosedsheclosed", "sheclosedsheclosed", short=False) == ()


def test_doubled_letters_are_no_repetition() -> None:
    """It takes eight letters, or three characters of Mandarin."""
    assert not repeated("abcdabcd") and repeated("theendofittheendofit")
    assert not repeated("谢谢谢谢") and repeated("请稍等请稍等")


def test_the_longest_run() -> None:
    """Of true values; none of none."""
    assert longest_run(np.array([True, False, True, True, False])) == 2
    assert longest_run(np.zeros(0, bool)) == 0 and longest_run(np.ones(4, bool)) == 4
