"""µ-law and A-law."""

from __future__ import annotations

from collections.abc import Callable

import av
import numpy as np
import pytest
from av.audio.codeccontext import AudioCodecContext

from rtserver.audio.g711 import alaw, ulaw
from tests.rtserver.audio.sound import decoded, pcm

EVERY_SAMPLE = np.arange(-32768, 32768)
LAWS = [(ulaw, "mulaw"), (alaw, "alaw")]
# G.711, table 2a: decoder output of 14 bits, and the character signal as it is sent.
ULAW_LEVELS = [(8031, 0x80), (4191, 0x8F), (2079, 0x9F), (1023, 0xAF), (495, 0xBF), (231, 0xCF), (99, 0xDF)]
ULAW_LEVELS += [(33, 0xEF), (2, 0xFE), (0, 0xFF), (-2, 0x7E), (-33, 0x6F), (-4191, 0x0F), (-8031, 0x00)]
ULAW_CODES = [(4 * level, character) for level, character in ULAW_LEVELS]
# G.711, table 1a: decoder output of 13 bits, and the character signal with every second bit inverted.
ALAW_LEVELS = [(4032, 0xAA), (2112, 0xA5), (1056, 0xB5), (528, 0x85), (264, 0x95), (132, 0xE5), (66, 0xF5)]
ALAW_LEVELS += [(33, 0xC5), (1, 0xD5), (-1, 0x55), (-33, 0x45), (-2112, 0x25), (-4032, 0x2A)]
ALAW_CODES = [(8 * level, character) for level, character in ALAW_LEVELS]


def code(law: Callable[[bytes], bytes], sample: int) -> int:
    """The one code of one sample."""
    return law(sample.to_bytes(2, "little", signed=True))[0]


def by_ffmpeg(law: str) -> bytes:
    """FFmpeg's code of every sample."""
    context = av.CodecContext.create(f"pcm_{law}", "w")
    assert isinstance(context, AudioCodecContext)
    context.sample_rate, context.layout, context.format = 8000, "mono", "s16"
    frame = av.AudioFrame.from_ndarray(EVERY_SAMPLE.astype("<i2")[np.newaxis], "s16", "mono")
    frame.sample_rate = 8000
    return b"".join(bytes(packet) for packet in context.encode(frame) + context.encode(None))


@pytest.mark.parametrize(("law", "name"), LAWS)
def test_every_sample_has_ffmpegs_code(law: Callable[[bytes], bytes], name: str) -> None:
    """All 65,536, bit for bit."""
    assert law(pcm(EVERY_SAMPLE.astype(np.float64))) == by_ffmpeg(name)


@pytest.mark.parametrize(("sample", "expected"), ULAW_CODES)
def test_ulaw_has_the_codes_of_the_recommendation(sample: int, expected: int) -> None:
    """At the ends of segments, around zero, and on both sides."""
    assert code(ulaw, sample) == expected


@pytest.mark.parametrize(("sample", "expected"), ALAW_CODES)
def test_alaw_has_the_codes_of_the_recommendation(sample: int, expected: int) -> None:
    """At the ends of segments, around zero, and on both sides."""
    assert code(alaw, sample) == expected


@pytest.mark.parametrize("law", [ulaw, alaw])
def test_full_scale_does_not_wrap_around(law: Callable[[bytes], bytes]) -> None:
    """The loudest samples have the loudest codes of their own sign."""
    assert code(law, 32767) == code(law, 32200) and code(law, -32768) == code(law, -32200)
    assert code(law, 32767) ^ code(law, -32768) == 0x80


@pytest.mark.parametrize(("law", "name"), LAWS)
def test_a_decoded_code_is_coded_as_itself(law: Callable[[bytes], bytes], name: str) -> None:
    """All 256 codes, but for µ-law's second zero, which is never sent."""
    codes = bytes(range(256))
    _, samples = decoded(codes, name)
    expected = bytes(0xFF if name == "mulaw" and c == 0x7F else c for c in codes)
    assert law(pcm(samples)) == expected


@pytest.mark.parametrize(("law", "name"), LAWS)
def test_a_sample_comes_back_within_its_step(law: Callable[[bytes], bytes], name: str) -> None:
    """The error is a thirty-second of the sample and a few units, but beyond the loudest code."""
    _, samples = decoded(law(pcm(EVERY_SAMPLE.astype(np.float64))), name)
    excess = np.abs(samples - EVERY_SAMPLE) - np.abs(EVERY_SAMPLE) / 32
    assert excess[np.abs(EVERY_SAMPLE) < 32124].max() <= 11


@pytest.mark.parametrize("law", [ulaw, alaw])
def test_each_sample_is_coded_by_itself(law: Callable[[bytes], bytes]) -> None:
    """One byte a sample, in order, so that any cutting gives the same; none give none."""
    data = pcm(np.array([1000.0, -1000, 0, 32767]))
    assert law(data) == law(data[:2]) + law(data[2:]) and len(law(data)) == 4
    assert law(b"") == b""
