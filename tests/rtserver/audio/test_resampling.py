"""Samples at another rate, as they come."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtserver.audio.resampling import Resampler
from tests.rtserver.audio.sound import FULL_SCALE, Samples, glide, in_cuts, pcm, samples_of, snr_db

RATES = [(24000, 8000), (24000, 12000), (24000, 16000), (24000, 48000), (24000, 44100), (22050, 24000), (24000, 23999)]


def resampled(data: bytes, rates: tuple[int, int], sizes: list[int], *, floats: bool = False) -> bytes:
    """All that comes out of one resampler."""
    resampler = Resampler(*rates, floats=floats)
    return b"".join(in_cuts(data, sizes, lambda piece: [resampler.feed(piece)])) + resampler.finish()


def at_rate(data: bytes, rates: tuple[int, int], *, floats: bool = False) -> Samples:
    """The samples that come out, on the 16-bit scale."""
    return samples_of(resampled(data, rates, [], floats=floats), "<f4" if floats else "<i2")


@pytest.mark.parametrize("floats", [False, True])
@pytest.mark.parametrize("rates", RATES)
def test_the_sound_is_the_same_at_another_rate(rates: tuple[int, int], floats: bool) -> None:
    """It lies where it lay, as loud as it was, and its end is there."""
    found = at_rate(pcm(glide(rates[0])), rates, floats=floats)
    reference = glide(rates[1])
    assert len(found) == len(reference)
    assert snr_db(reference, found) > 60
    assert snr_db(reference[-rates[1] // 20 :], found[-rates[1] // 20 :]) > 50
    assert abs(np.std(found) / np.std(reference) - 1) < 0.001


@settings(deadline=None, max_examples=40)
@given(
    rates=st.sampled_from(RATES),
    floats=st.booleans(),
    samples=st.integers(0, 9000),
    sizes=st.lists(st.integers(0, 3000), max_size=12),
)
def test_any_cutting_gives_what_one_piece_gives(
    rates: tuple[int, int], floats: bool, samples: int, sizes: list[int]
) -> None:
    """Sample for sample."""
    data = pcm(glide(rates[0])[:samples])
    assert resampled(data, rates, sizes, floats=floats) == resampled(data, rates, [], floats=floats)


@settings(deadline=None, max_examples=60)
@given(in_rate=st.sampled_from([16000, 22050, 24000]), out_rate=st.integers(8000, 48000), samples=st.integers(0, 30000))
def test_the_length_is_right_to_a_sample(in_rate: int, out_rate: int, samples: int) -> None:
    """Nothing is lost at the end, at any rate."""
    found = len(resampled(bytes(2 * samples), (in_rate, out_rate), [])) // 2
    assert abs(found - samples * out_rate / in_rate) < 1


def test_two_runs_are_equal() -> None:
    """No noise is added that differs from run to run."""
    data = pcm(glide(24000))
    assert resampled(data, (24000, 16000), []) == resampled(data, (24000, 16000), [])


def test_equal_rates_keep_every_sample() -> None:
    """Each piece comes back as it is and at once; nothing is left for the end."""
    resampler = Resampler(24000, 24000)
    extremes = pcm(np.array([-32768.0, -1, 0, 1, 32767]))
    assert resampler.feed(extremes) == extremes and resampler.feed(b"\x01\x02") == b"\x01\x02"
    assert resampler.finish() == b""


def test_floats_at_equal_rates_are_the_samples_themselves() -> None:
    """Exactly, from -1 to just under 1."""
    values = np.array([-32768.0, -12345, -1, 0, 1, 32767])
    floats = np.frombuffer(resampled(pcm(values), (24000, 24000), [], floats=True), "<f4")
    assert floats.tolist() == (values / FULL_SCALE).tolist()


@pytest.mark.parametrize("floats", [False, True])
def test_overshoot_stops_at_full_scale(floats: bool) -> None:
    """Around full-scale edges the filter swings beyond; samples do not wrap around, and floats stay within 1."""
    square = np.repeat(np.tile([32767.0, -32768.0], 30), 100)
    found = at_rate(pcm(square), (24000, 16000), floats=floats)
    assert found.max() == (FULL_SCALE if floats else 32767) and found.min() == -FULL_SCALE
    assert np.mean(np.abs(found) > 25000) > 0.95
    edges = np.abs(np.diff(found))
    assert np.sum(edges > 40000) <= 60


def test_sound_above_the_new_rate_is_gone() -> None:
    """A tone that the new rate cannot carry does not come back as another one."""
    tone = 10000 * np.sin(2 * np.pi * 7000 * np.arange(24000) / 24000)
    found = at_rate(pcm(tone), (24000, 8000))
    assert np.abs(found[500:-500]).max() <= 1


@pytest.mark.parametrize("rates", [(24000, 24000), (24000, 16000)])
def test_half_a_sample_is_refused(rates: tuple[int, int]) -> None:
    """The caller's mistake, and the stream goes on as if it had not been."""
    resampler = Resampler(*rates)
    with pytest.raises(ValueError, match="expected whole 16-bit samples, found 3 bytes"):
        resampler.feed(b"abc")
    data = pcm(glide(24000, 0.2))
    assert resampler.feed(data) + resampler.finish() == resampled(data, rates, [])


@pytest.mark.parametrize(("rates", "most_ms"), [((24000, 48000), 45), ((24000, 16000), 45), ((24000, 8000), 85)])
def test_little_is_kept_back(rates: tuple[int, int], most_ms: int) -> None:
    """What came out lags what was fed by the filter's block and no more, at every moment."""
    resampler = Resampler(*rates)
    out = 0
    for fed in range(1, 1000):
        out += len(resampler.feed(bytes(2 * 24))) // 2
        assert fed - out * 1000 / rates[1] <= most_ms
