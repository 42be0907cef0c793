"""Bare Opus packets."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtserver.audio.codec import CodedPiece
from rtserver.audio.opus import OpusCodec
from tests.rtserver.audio.sound import decoded_packets, glide, in_cuts, pcm, snr_db

RATES = [8000, 12000, 16000, 24000, 48000]
# A decoder's lag at 48 kHz: 6.5 ms, at every rate.
LAG = 312


def packets(data: bytes, sample_rate: int, sizes: list[int] | None = None) -> list[bytes]:
    """All packets of a sound."""
    codec = OpusCodec(sample_rate)

    def take(piece: bytes) -> list[bytes]:
        return [piece.data for piece in codec.encode(piece)]

    return in_cuts(data, sizes or [], take) + [piece.data for piece in codec.finish()]


@pytest.mark.parametrize("rate", RATES)
def test_a_decoder_gives_the_sound_back(rate: int) -> None:
    """At every rate, 6.5 ms late, to its end."""
    found = decoded_packets(packets(pcm(glide(rate)), rate))[LAG:]
    reference = glide(48000)
    assert 0 <= len(found) - len(reference) < 960
    found = found[: len(reference)]
    assert snr_db(reference, found) > 22
    assert snr_db(reference[-2400:], found[-2400:]) > 20


@pytest.mark.parametrize("rate", RATES)
def test_the_look_ahead_is_six_and_a_half_milliseconds(rate: int) -> None:
    """In samples of the encoder's rate."""
    codec = OpusCodec(rate)
    assert codec.look_ahead * 48000 // rate == LAG
    assert codec.packet_samples == rate // 50


@settings(deadline=None, max_examples=25)
@given(samples=st.integers(0, 12000), sizes=st.lists(st.integers(0, 1500), max_size=12))
def test_any_cutting_gives_the_same_packets(samples: int, sizes: list[int]) -> None:
    """Byte for byte."""
    data = pcm(glide(24000)[:samples])
    assert packets(data, 24000, sizes) == packets(data, 24000)


def test_a_packet_comes_as_soon_as_it_is_full() -> None:
    """Every 20 ms one, of that many samples."""
    codec = OpusCodec(24000)
    assert codec.encode(bytes(2 * 479)) == []
    (first,) = codec.encode(bytes(2))
    assert isinstance(first, CodedPiece) and first.samples == 480
    assert len(codec.encode(bytes(2 * 480 * 3))) == 3


@pytest.mark.parametrize(
    ("samples", "count"), [(0, 0), (1, 1), (480 - 156, 1), (480 - 155, 2), (480, 2), (960 - 156, 2), (960, 3)]
)
def test_the_last_packets_carry_what_a_decoder_lags_by(samples: int, count: int) -> None:
    """One more where the sound's end would still be in the decoder, filled up with silence; no sound has no packet."""
    assert len(packets(pcm(glide(24000)[:samples]), 24000)) == count


def test_every_packet_says_that_it_is_20_ms_of_one_channel() -> None:
    """RFC 6716, section 3.1: one frame (code 0), mono, and a configuration of 20 ms."""
    for packet in packets(pcm(glide(24000)), 24000):
        configuration = packet[0] >> 3
        assert packet[0] & 0b111 == 0
        # SILK and hybrid modes count 10 ms and more, CELT modes 2.5 ms and more.
        assert configuration % 4 == (1 if configuration < 12 else 3) or configuration in (13, 15)


def test_speech_takes_32_kilobits_a_second() -> None:
    """The default rate, within a tenth on sound that is not simple; another rate can be had."""
    data = pcm(glide(24000, 4.0))
    assert sum(map(len, packets(data, 24000))) * 8 / 4 == pytest.approx(32000, rel=0.15)
    codec = OpusCodec(24000, bitrate=16000)
    coded = codec.encode(data) + codec.finish()
    assert sum(len(piece.data) for piece in coded) * 8 / 4 == pytest.approx(16000, rel=0.15)
