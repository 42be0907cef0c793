"""MP3, AAC and FLAC streams, through PyAV.

One second of audio at 24 kHz takes 14 ms of CPU time as MP3 and 1 ms as FLAC. MP3 comes out up to 100 ms after its
samples were fed (215 ms at 8 kHz), and a decoder puts `MP3_DELAY_SAMPLES` of silence before it. For AAC these are 9 ms
of CPU time, 85 ms (255 ms at 8 kHz) and `AAC_DELAY_SAMPLES`. FLAC comes in blocks of up to 100 ms.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from fractions import Fraction

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream

from rtserver.audio.codec import CodedPiece
from rtserver.audio.frames import BYTES_PER_SAMPLE

MP3_BITRATE = 64_000  # MP3 has it at every sample rate, and it is more than enough for speech in one channel
MP3_DELAY_SAMPLES = 1105  # 576 of the encoder (LAME) and 529 of every decoder
AAC_BITRATE = 64_000
AAC_DELAY_SAMPLES = 1024

# The rates of MPEG-4 audio, by their number in a header.
_AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_AAC_BITS_PER_SAMPLE = 6  # that a channel may have
_ADTS_BYTES = 7

_FLAC_MARK = b"fLaC\x80\x00\x00\x22"  # says that the last header block follows: STREAMINFO, 34 bytes
_FLAC_LENGTH_AT = 21  # position of five bytes; their last 36 bits are the length in samples
_FLAC_MAX_SAMPLES = (1 << 36) - 1


class PyAvCodec:
    """Writes `header`, then the frames of one encoder. `frame_header`: what comes before each frame."""

    def __init__(
        self,
        context: AudioCodecContext,
        header: bytes = b"",
        frame_header: Callable[[bytes], bytes] = lambda frame: b"",
    ) -> None:
        self._context = context
        self._header = header
        self._frame_header = frame_header
        self._frame_bytes = context.frame_size * BYTES_PER_SAMPLE
        self._waiting = bytearray()
        self._position = 0

    def encode(self, pcm: bytes) -> list[CodedPiece]:
        """Adds samples. At most one piece comes out, with all frames that are complete."""
        self._waiting += pcm
        whole = len(self._waiting) - len(self._waiting) % self._frame_bytes
        starts = range(0, whole, self._frame_bytes)
        packets = [packet for at in starts for packet in self._coded(self._waiting[at : at + self._frame_bytes])]
        del self._waiting[:whole]
        return self._pieces(packets)

    def finish(self) -> list[CodedPiece]:
        packets = self._coded(self._waiting) if self._waiting else []
        if self._position:
            packets += self._context.encode(None)
        return self._pieces(packets)

    def _coded(self, pcm: bytearray) -> list[av.Packet[AudioStream]]:
        samples: np.ndarray = np.frombuffer(bytes(pcm), "<i2")[np.newaxis]
        if self._context.format.name == "fltp":
            samples = samples.astype(np.float32) / 32768
        frame = av.AudioFrame.from_ndarray(samples, self._context.format.name, "mono")
        frame.sample_rate = self._context.sample_rate
        frame.pts = self._position
        with contextlib.nullcontext() if self._position else _one_cpu():
            packets = self._context.encode(frame)
        self._position += frame.samples
        return packets

    def _pieces(self, packets: list[av.Packet[AudioStream]]) -> list[CodedPiece]:
        frames = [bytes(packet) for packet in packets]
        data = self._header + b"".join(self._frame_header(frame) + frame for frame in frames)
        self._header = b""
        return [CodedPiece(data, sum(packet.duration or 0 for packet in packets))] if data else []


def mp3_codec(sample_rate: int) -> PyAvCodec:
    """MP3 frames of a constant bit rate. A player can begin at any of them."""
    context = _encoder("libmp3lame", "s16p", sample_rate)
    context.bit_rate = MP3_BITRATE
    context.open()
    return PyAvCodec(context)


def aac_codec(sample_rate: int) -> PyAvCodec:
    """AAC-LC in ADTS frames. A player can begin at any of them."""
    context = _encoder("aac", "fltp", sample_rate)
    context.bit_rate = min(AAC_BITRATE, _AAC_BITS_PER_SAMPLE * sample_rate)
    context.open()
    return PyAvCodec(context, frame_header=lambda frame: _adts_header(sample_rate, len(frame)))


def _adts_header(sample_rate: int, frame_bytes: int) -> bytes:
    """ISO/IEC 13818-7, 6.2: MPEG-4, no checksum, AAC-LC, one channel, one block; its fullness is not told."""
    fields = (
        *((12, 0xFFF), (1, 0), (2, 0), (1, 1)),  # sync word, MPEG-4, layer, no checksum
        *((2, 1), (4, _AAC_RATES.index(sample_rate)), (1, 0), (3, 1)),  # profile LC, rate, private, channels
        *((4, 0), (13, _ADTS_BYTES + frame_bytes), (11, 0x7FF), (2, 0)),  # marks, length, fullness, blocks - 1
    )
    header = 0
    for bits, value in fields:
        header = header << bits | value
    return header.to_bytes(_ADTS_BYTES, "big")


def flac_codec(sample_rate: int) -> PyAvCodec:
    """A FLAC stream. Its header does not say how long it is."""
    context = _encoder("flac", "s16", sample_rate)
    context.open()
    return PyAvCodec(context, _FLAC_MARK + (context.extradata or b""))


def with_flac_length(flac: bytes, samples: int) -> bytes:
    """A finished stream of `flac_codec` with its length in the header. Some readers need the length."""
    at = _FLAC_LENGTH_AT
    length = int.from_bytes(flac[at : at + 5], "big") & ~_FLAC_MAX_SAMPLES | min(samples, _FLAC_MAX_SAMPLES)
    return flac[:at] + length.to_bytes(5, "big") + flac[at + 5 :]


def _encoder(name: str, sample_format: str, sample_rate: int) -> AudioCodecContext:
    context = av.CodecContext.create(name, "w")
    assert isinstance(context, AudioCodecContext)
    context.sample_rate = sample_rate
    context.layout = "mono"
    context.format = sample_format
    context.time_base = Fraction(1, sample_rate)
    return context


@contextlib.contextmanager
def _one_cpu() -> Iterator[None]:
    """Limits the calling thread to one CPU for a moment.

    For the first frame PyAV makes a filter, although there is nothing to filter. The filter starts as many threads as
    the calling thread has CPUs, and keeps them as long as the stream is open. With one CPU it starts none.
    """
    cpus = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(cpus)})
    except OSError:  # some sandboxes forbid it; then the stream keeps idle threads
        yield
        return
    try:
        yield
    finally:
        os.sched_setaffinity(0, cpus)
