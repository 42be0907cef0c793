"""Opus in Ogg."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass

import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from rtserver.audio.ogg import OggOpusCodec, ogg_crc, ogg_page
from tests.rtserver.audio.sound import FULL_SCALE, decoded, glide, in_cuts, pcm, snr_db

RATES = [8000, 12000, 16000, 24000, 48000]
BEGIN, END = 2, 4


@dataclass(frozen=True)
class Page:
    """A page, read field by field from RFC 3533."""

    flags: int
    position: int
    serial: int
    number: int
    packets: list[bytes]


def ogg(data: bytes, sample_rate: int = 24000, sizes: list[int] | None = None, serial: int = 77) -> bytes:
    """A whole stream."""
    codec = OggOpusCodec(sample_rate, serial)

    def take(piece: bytes) -> list[bytes]:
        return [page.data for page in codec.encode(piece)]

    return b"".join(in_cuts(data, sizes or [], take) + [page.data for page in codec.finish()])


def slow_crc(data: bytes) -> int:
    """RFC 3533's checksum, bit by bit."""
    register = 0
    for byte in data:
        register ^= byte << 24
        for _ in range(8):
            register = (register << 1 ^ (0x104C11DB7 if register >> 31 else 0)) & 0xFFFFFFFF
    return register


def pages(stream: bytes) -> list[Page]:
    """The pages of a stream, each checked for its mark, its version and its checksum."""
    found, at = [], 0
    while at < len(stream):
        mark, version, flags, position, serial, number, crc, count = struct.unpack_from("<4sBBQIIIB", stream, at)
        lengths = stream[at + 27 : at + 27 + count]
        end = at + 27 + count + sum(lengths)
        assert (mark, version) == (b"OggS", 0)
        assert slow_crc(stream[at : at + 22] + bytes(4) + stream[at + 26 : end]) == crc
        found.append(Page(flags, position, serial, number, whole_packets(lengths, stream[at + 27 + count : end])))
        at = end
    return found


def whole_packets(lengths: bytes, body: bytes) -> list[bytes]:
    """A packet ends with a length below 255."""
    packets, packet, at = [], b"", 0
    for length in lengths:
        packet += body[at : at + length]
        at += length
        if length < 255:
            packets.append(packet)
            packet = b""
    assert packet == b"", "no packet goes on on the next page"
    return packets


@pytest.mark.parametrize("rate", RATES)
def test_ffmpeg_gives_the_sound_back(rate: int) -> None:
    """At 48 kHz, in its place, with its length to a sample."""
    found_rate, found = decoded(ogg(pcm(glide(rate)), rate))
    reference = glide(48000)
    assert (found_rate, len(found)) == (48000, len(reference))
    assert snr_db(reference, found) > 22
    assert snr_db(reference[-2400:], found[-2400:]) > 20


@pytest.mark.parametrize("rate", RATES)
def test_libsndfile_gives_the_sound_back(rate: int) -> None:
    """Another decoder, which takes the rate that the head says; it is libopus, which is 0.04 ms late in some modes."""
    found, found_rate = soundfile.read(io.BytesIO(ogg(pcm(glide(rate)), rate)))
    assert (found_rate, len(found)) == (rate, len(glide(rate)))
    assert snr_db(glide(rate), found * FULL_SCALE) > 14


@pytest.mark.parametrize("samples", [0, 1, 100, 323, 324, 325, 479, 480, 481, 959, 960, 4800, 12001])
def test_the_length_is_exact(samples: int) -> None:
    """Where the sound ends in a packet does not matter, nor that there is none."""
    stream = ogg(pcm(glide(24000)[:samples]))
    assert len(soundfile.read(io.BytesIO(stream))[0]) == samples
    assert len(decoded(stream)[1]) == 2 * samples


def test_the_head_says_what_rfc_7845_asks_for() -> None:
    """Version, channel, what to drop, the rate, no gain, no mapping; then a vendor and no comments."""
    head, tags, *_ = pages(ogg(pcm(glide(16000)), 16000))
    assert head.packets == [b"OpusHead" + struct.pack("<BBHIhB", 1, 1, 312, 16000, 0, 0)]
    assert tags.packets == [b"OpusTags" + struct.pack("<I8sI", 8, b"rtserver", 0)]
    assert (head.flags, head.position, tags.flags, tags.position) == (BEGIN, 0, 0, 0)


def test_pages_are_in_order() -> None:
    """They count from 0, carry one serial number, and only the last one ends the stream."""
    found = pages(ogg(pcm(glide(24000)), serial=0xFEDCBA98))
    assert [page.number for page in found] == list(range(len(found)))
    assert {page.serial for page in found} == {0xFEDCBA98}
    assert [page.flags for page in found] == [BEGIN] + [0] * (len(found) - 2) + [END]


def test_pages_grow_to_200_ms() -> None:
    """The first sound page goes out after 40 ms; the last one takes what is left."""
    counts = [len(page.packets) for page in pages(ogg(pcm(glide(24000, 1.0))))[2:]]
    assert counts[:-1] == [2, 4, 6, 8, 10, 10, 10] and counts[-1] == 1
    for seconds in (0.3, 0.38, 0.4, 0.42):
        assert len(pages(ogg(pcm(glide(24000, seconds))))[-1].packets) <= 11


def test_positions_count_what_the_packets_give() -> None:
    """At 48 kHz whatever the sound's rate; the last is the end of the sound, after what is dropped at the beginning."""
    found = pages(ogg(pcm(glide(16000)[:15999]), 16000))[2:]
    given, expected = 0, []
    for page in found:
        given += 960 * len(page.packets)
        expected.append(given)
    assert [page.position for page in found[:-1]] == expected[:-1]
    assert found[-1].position == 312 + 15999 * 3
    assert expected[-1] - 960 < found[-1].position <= expected[-1]


@settings(deadline=None, max_examples=25)
@given(samples=st.integers(0, 16000), sizes=st.lists(st.integers(0, 4000), max_size=10))
def test_any_cutting_gives_the_same_stream(samples: int, sizes: list[int]) -> None:
    """Byte for byte, and its pages are sound."""
    data = pcm(glide(24000)[:samples])
    stream = ogg(data, sizes=sizes)
    assert stream == ogg(data)
    assert sum(len(page.packets) for page in pages(stream)[2:]) == max(1, -(-(samples + 156) // 480))


def test_a_page_comes_as_soon_as_it_is_full() -> None:
    """The head with the first call, also with no sound; then nothing until 40 ms are there."""
    codec = OggOpusCodec(24000, 1)
    (head,) = codec.encode(b"")
    assert len(pages(head.data)) == 2 and head.samples == 0
    assert codec.encode(bytes(2 * 959)) == []
    (page,) = codec.encode(bytes(2))
    assert page.samples == 960 and len(pages(page.data)[0].packets) == 2


@pytest.mark.parametrize("size", [0, 1, 254, 255, 256, 509, 510, 511, 1275])
def test_a_packet_of_any_size_has_its_length(size: int) -> None:
    """Also an exact multiple of 255, which ends with a length of 0."""
    packets = [bytes([i + 1]) * size for i in range(3)]
    (page,) = pages(ogg_page(packets, position=5, serial=6, number=7, flags=0))
    assert page == Page(flags=0, position=5, serial=6, number=7, packets=packets)


@given(st.binary(max_size=300))
def test_the_checksum_is_the_one_computed_bit_by_bit(data: bytes) -> None:
    """For any bytes."""
    assert ogg_crc(data) == slow_crc(data).to_bytes(4, "little")
