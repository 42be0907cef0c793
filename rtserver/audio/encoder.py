"""From the model's samples to the bytes of a format: a resampler and a codec.

All calls are synchronous and start no threads. Call them in a worker. CPU time for a second of audio at 24 kHz, in ms:
PCM and WAV 0.01, floats 0.06, FLAC 1, AAC 9, Opus and Ogg 12, MP3 14. Another rate adds 0.2 to 0.3, so µ-law and A-law
cost 0.2. At 8 kHz Opus and MP3 cost a third of this; at 48 kHz MP3 costs twice as much.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from rtserver.audio import g711
from rtserver.audio.codec import CodedPiece, PlainCodec, SoundCodec
from rtserver.audio.formats import SoundFormat
from rtserver.audio.frames import BYTES_PER_SAMPLE
from rtserver.audio.ogg import OggOpusCodec
from rtserver.audio.opus import OpusCodec
from rtserver.audio.pyav import aac_codec, flac_codec, mp3_codec, with_flac_length
from rtserver.audio.resampling import Resampler
from rtserver.audio.wav import wav_header
from rtserver.processes.interpreter import let_others_run

DEFAULT_SERIAL = 1
FLOAT_BYTES = 4
# Samples of a file that are coded in one call. Tens of megabytes in one call held the interpreter for 140 to 430 ms.
PIECE_BYTES = 1 << 16


class Encoder(Protocol):
    """Codes 16-bit samples of one channel at the model's rate.

    However the samples are cut into calls, the joined output is the same. A call returns one item for each Opus packet
    or Ogg page. For other formats it returns at most one item.
    """

    def encode(self, pcm: bytes) -> list[bytes]:
        """Adds samples. Returns what is complete. The first call also returns a container's header, even without
        samples. Raises ValueError for half a sample."""

    def finish(self) -> list[bytes]:
        """Returns the rest. Nothing may follow."""


class SoundEncoder:
    """An `Encoder` that can also say how many samples each item stands for, at the format's rate."""

    def __init__(self, resampler: Resampler, codec: SoundCodec) -> None:
        self._resampler = resampler
        self._codec = codec

    def encode(self, pcm: bytes) -> list[bytes]:
        return [piece.data for piece in self.pieces(pcm)]

    def finish(self) -> list[bytes]:
        return [piece.data for piece in self.last_pieces()]

    def pieces(self, pcm: bytes) -> list[CodedPiece]:
        return self._codec.encode(self._resampler.feed(pcm))

    def last_pieces(self) -> list[CodedPiece]:
        return self._codec.encode(self._resampler.finish()) + self._codec.finish()


def open_encoder(sound: SoundFormat, native_rate: int, *, serial: int = DEFAULT_SERIAL) -> SoundEncoder:
    """`serial`: the number of an Ogg stream; streams that are joined in one file need different numbers. Raises
    OpusMissing (a FormatError) for Opus if there is no libopus."""
    codec = _CODECS[sound.name](sound.sample_rate, serial)
    return SoundEncoder(Resampler(native_rate, sound.sample_rate, floats=sound.name == "pcm_f32le"), codec)


def encode_all(sound: SoundFormat, native_rate: int, pcm: bytes | bytearray) -> list[bytes]:
    """A finished file, in pieces. WAV and FLAC have their length in the header; other formats are the same as in a
    stream. Call it in another thread than the loop's: the loop has its turns between the pieces."""
    encoder = open_encoder(sound, native_rate)
    coded: list[CodedPiece] = []
    for at in range(0, max(1, len(pcm)), PIECE_BYTES):
        if at:
            let_others_run()
        coded += encoder.pieces(bytes(pcm[at : at + PIECE_BYTES]))
    coded += encoder.last_pieces()
    file, samples = [piece.data for piece in coded], sum(piece.samples for piece in coded)
    if sound.name == "wav":
        header = wav_header(sound.sample_rate, samples * BYTES_PER_SAMPLE)
        file[0] = header + file[0][len(header) :]
    elif sound.name == "flac":
        file[0] = with_flac_length(file[0], samples)
    return file


_CODECS: dict[str, Callable[[int, int], SoundCodec]] = {
    "aac": lambda rate, serial: aac_codec(rate),
    "alaw": lambda rate, serial: PlainCodec(convert=g711.alaw),
    "flac": lambda rate, serial: flac_codec(rate),
    "mp3": lambda rate, serial: mp3_codec(rate),
    "ogg_opus": OggOpusCodec,
    "opus": lambda rate, serial: OpusCodec(rate),
    "pcm_f32le": lambda rate, serial: PlainCodec(sample_bytes=FLOAT_BYTES),
    "pcm_s16le": lambda rate, serial: PlainCodec(),
    "ulaw": lambda rate, serial: PlainCodec(convert=g711.ulaw),
    "wav": lambda rate, serial: PlainCodec(wav_header(rate)),
}
