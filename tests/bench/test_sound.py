"""What the bench of sound measures, on waves made for it; and its short form, on the embedded voices."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.model.sound.borders import across
from bench.model.sound.cases import Case, cases
from bench.model.sound.figures import TAIL_DBFS, Figures, by_mode, by_speed, silences_s, slope
from bench.model.sound.levels import bursts_s, clipped, edges_dbfs, lines_hz
from bench.model.sound.pitch import f0_hz
from bench.model.sound.takes import Sound, read, write

RATE_HZ = 24000


def tone(hz: float, seconds: float, level: float = 0.1) -> np.ndarray:
    """A tone with harmonics, as a voice has them."""
    at = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    wave = np.sum([np.sin(2 * np.pi * hz * harmonic * at) / harmonic for harmonic in (1, 2, 3)], 0)
    voice: np.ndarray = (level * wave).astype(np.float32)
    return voice


def quiet(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE_HZ), np.float32)


def test_a_burst_is_short_loud_and_alone() -> None:
    """Speech is too long for one, a click beside speech is not alone, a soft one is not heard."""
    noise = np.random.default_rng(0).standard_normal(480).astype(np.float32)
    speech = tone(150, 0.5)
    wave = [0.05 * noise, quiet(0.2), speech, quiet(0.2), 0.05 * noise, quiet(0.2)]
    wave += [0.001 * noise, quiet(0.2), speech, quiet(0.03), 0.05 * noise, quiet(0.2)]
    assert bursts_s(np.concatenate(wave), RATE_HZ) == pytest.approx([0.0, 0.92], abs=0.006)


def test_silences_and_edges_are_found() -> None:
    """Silence at the start, inside and at the end are told apart."""
    wave = np.concatenate([quiet(0.1), tone(150, 0.4), quiet(0.3), tone(150, 0.4), quiet(0.2)])
    assert silences_s(wave, RATE_HZ) == pytest.approx((0.1, 0.3, 0.2), abs=0.011)
    assert edges_dbfs(wave, RATE_HZ) == pytest.approx((-120, -120))
    assert edges_dbfs(wave[: RATE_HZ // 2], RATE_HZ)[1] > -25


def test_pitch_is_found_where_there_is_a_voice() -> None:
    """The fundamental of a tone, within a percent; none in noise and silence."""
    for hz in (90.0, 150.0, 310.0):
        found = f0_hz(tone(hz, 0.5), RATE_HZ)[10:-10]
        assert np.median(found) == pytest.approx(hz, rel=0.01)
    noise = 0.1 * np.random.default_rng(0).standard_normal(RATE_HZ // 2).astype(np.float32)
    assert np.mean(f0_hz(noise, RATE_HZ) > 0) < 0.05 and not f0_hz(quiet(0.5), RATE_HZ).any()


def test_lines_in_pauses_are_found() -> None:
    """A soft tone in a pause is a line; noise is none."""
    noise = 1e-3 * np.random.default_rng(0).standard_normal(round(0.6 * RATE_HZ)).astype(np.float32)
    line = noise + 1e-3 * np.sin(2 * np.pi * 3000 * np.arange(len(noise)) / RATE_HZ).astype(np.float32)
    speech = tone(150, 0.4)
    assert lines_hz(np.concatenate([speech, noise, speech]), RATE_HZ) == []
    assert lines_hz(np.concatenate([speech, line, speech]), RATE_HZ) == pytest.approx([3000], abs=15)


def test_jumps_are_of_their_borders() -> None:
    """A jump of pitch at a hop, one over a seam, and a pause between sentences come out as such."""
    wave = np.concatenate([tone(150, 0.5), tone(180, 0.5), quiet(0.2), tone(200, 0.5), quiet(0.3), tone(200, 0.5)])
    hop, seam, sentence = round(0.5 * RATE_HZ), round(1.1 * RATE_HZ), round(2.0 * RATE_HZ)
    found = across(wave, RATE_HZ, [hop, seam], [seam], [sentence])
    assert found["hop"].f0_hz == pytest.approx([30], abs=2)
    assert found["seam"].f0_hz == pytest.approx([20], abs=3) and found["seam"].pause_s == pytest.approx(
        [0.2], abs=0.011
    )
    assert found["sentences"].f0_hz == pytest.approx([0], abs=1)
    assert found["sentences"].pause_s == pytest.approx([0.3], abs=0.011)
    assert max(found["inside"].f0_hz) < 2 and found["pause"].pause_s == []


def test_the_slope_of_loudness_is_that_of_the_sound() -> None:
    """A sound that gets 3 dB louder each minute has a slope of 3; a short one has none."""
    wave = tone(400, 90.0, level=0.02)
    louder = wave * 10 ** (np.linspace(0, 4.5, len(wave)) / 20)
    assert slope(louder.astype(np.float32), RATE_HZ) == pytest.approx(3, abs=0.1)
    assert slope(wave[: 50 * RATE_HZ], RATE_HZ) is None
    assert clipped(np.array([1.0, 0.5, -1.0], np.float32)) == 2


def test_loudness_by_speed_is_compared_with_the_same_sentence() -> None:
    """A sentence that was not spoken at speed 1 does not count."""

    def spoken(name: str, speed: float, level: float) -> Figures:
        case = Case("speeds", name, "英文女", "en", "Hello.", speed=speed)
        return Figures.of(Sound(case, RATE_HZ, tone(400, 1.0, level), [RATE_HZ], [RATE_HZ], [], [[1]]))

    figures = [spoken("a", 1.0, 0.1), spoken("a-speed-2.0", 2.0, 0.05), spoken("b-speed-2.0", 2.0, 0.01)]
    assert by_speed(figures) == {"英文女": {"2.0": pytest.approx(-6.0, abs=0.1)}}


def test_modes_are_told_apart() -> None:
    """The ends of each are counted for itself."""
    ends = [quiet(0.1), tone(400, 0.1)]
    figures = [
        Figures.of(Sound(Case("modes", mode, "英文女", "en", "Hello.", mode=mode), RATE_HZ, wave, [1], [1], [], [[1]]))
        for mode, wave in zip(("sft", "instruct"), (np.concatenate([tone(400, 1.0), end]) for end in ends), strict=True)
    ]
    found = by_mode(figures)
    assert [found[mode]["loud ends"] for mode in ("sft", "instruct")] == [0, 1]
    assert found["sft"]["utterances"] == 1 and found["sft"]["loudness, LUFS"]["median"] > -30


def test_a_take_is_read_as_it_was_written(tmp_path: Path) -> None:
    """A run that was stopped goes on with the takes that it has."""
    wave = (np.arange(-50, 50) / 64).astype(np.float32)
    sound = Sound(Case("short", "a", "英文女", "en", "Hello."), RATE_HZ, wave, [50, 100], [100], [], [[1, 2]])
    write(sound, tmp_path / "a.npz")
    again = read(tmp_path / "a.npz")
    assert again.case == sound.case and again.flow_tokens == [[1, 2]] and again.hop_ends == [50, 100]
    np.testing.assert_array_equal(again.wave, wave)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_cases_have_names_of_their_own() -> None:
    """Each case has its own file; there are 400 short utterances."""
    names = [case.name for case in cases(4)]
    assert len(set(names)) == len(names)
    assert sum(case.group == "short" for case in cases(4)) >= 400


@pytest.mark.engine
def test_speech_begins_and_ends_in_silence_and_goes_on_over_seams(tmp_path: Path) -> None:
    """The short form of the bench. Utterances whose speech the talker cuts (a sigh, an open end) end in silence; no
    burst opens them, nothing clips. The pause at a seam is about as long as one between sentences."""
    hard = ("嗯……", "Hm.", "好", "Yes.", "可以。")
    short = [case.name for case in cases(1) if case.group == "short" and case.text in hard]
    replies = ["replies-英文女-02", "replies-中文女-03"]
    assert len(short) == 10
    command = [sys.executable, "-m", "bench.model.sound", "--takes", str(tmp_path), "--names", *short, *replies]
    subprocess.run(command, check=True, capture_output=True, cwd=Path(__file__).parents[2])
    for name in short:
        figures = Figures.of(read(tmp_path / f"{name}.npz"))
        assert figures.last_dbfs < TAIL_DBFS, figures
        assert 0.05 < figures.trailing_s < 0.6, figures
        assert not figures.opening_bursts and not figures.clipped and abs(figures.dc) < 3e-3, figures
    for name in replies:
        sound = read(tmp_path / f"{name}.npz")
        seams = sound.sequence_ends[:-1]
        jumps = across(sound.wave, sound.rate_hz, sound.hop_ends, seams, sound.sentence_starts)
        assert seams and len(jumps["seam"].pause_s) == len(seams)
        assert all(0.06 <= pause_s <= 0.3 for pause_s in jumps["seam"].pause_s)
