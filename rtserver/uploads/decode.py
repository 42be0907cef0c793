"""Bytes of a sound file to a mono wave: wav, flac, mp3 and ogg by libsndfile, m4a, aac and webm by FFmpeg.

It runs native decoders on whatever comes, so it belongs in a process of its own: rtserver/uploads/process.py.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any, Literal, NoReturn

import av
import numpy as np
from av.audio.frame import AudioFrame

from cosyvoice.errors import VoiceError
from cosyvoice.voice.recording import MAX_RATE_HZ, Wave, check_wave, read_wave
from rtserver.uploads.errors import UploadError

MAX_BYTES = 20_000_000
EXPECTED = "wav, flac, mp3, ogg, m4a, aac or webm audio"
CODECS = ("aac", "alac", "opus", "vorbis")
# PyAV 18.1 takes what lies behind a frame's eight pointers for another channel's when all eight are used.
MAX_PACKED_CHANNELS = 7

_Demuxer = Literal["mov", "matroska", "aac"]
_OPTIONS = {
    # The bytes are all there is: a file that names others, of any kind, gets none.
    "protocol_whitelist": "none",
    "format_whitelist": "mov,matroska,aac",
    # Looking for streams tries decoders too; a picture's is none of these.
    "codec_whitelist": ",".join(CODECS),
    "max_streams": "16",
}


def decode(data: bytes, max_s: float, max_bytes: int = MAX_BYTES) -> tuple[Wave, int]:
    """A recording that can be used (see check_wave), as (mono wave, rate in Hz); channels are averaged.

    Never decodes more than `max_s` seconds. A file that ends early gives what it holds, where its format allows that.
    Raises UploadError.
    """
    if len(data) > max_bytes:
        raise UploadError(f"audio: expected at most {max_bytes} bytes, found {len(data)}")
    demuxer = _demuxer(data)
    try:
        with np.errstate(all="ignore"):  # infinities may meet before they are found
            wave, rate_hz = (
                read_wave(data, max_bytes, max_s) if demuxer is None else _read_packets(data, demuxer, max_s)
            )
            if not len(wave):
                raise UploadError("audio: expected a recording, found no sound in the file")
            check_wave(wave, rate_hz, 0.0, max_s)
    except VoiceError as error:
        raise UploadError(f"audio: {str(error).removeprefix('audio: ')}") from error
    return wave, rate_hz


def _demuxer(data: bytes) -> _Demuxer | None:
    """Who reads these bytes, by how they begin; None for libsndfile. Raises UploadError for anything else."""
    if data[4:8] == b"ftyp":
        return "mov"
    if data[:4] == b"\x1aE\xdf\xa3":
        return "matroska"
    if len(data) > 1 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0:  # MPEG: the layer's two bits are 0 for AAC alone
        return None if data[1] & 0x06 else "aac"
    if data[:4] in (b"RIFF", b"fLaC", b"OggS") or data[:3] == b"ID3":
        return None
    found = f"bytes that begin with {data[:4]!r}" if data else "nothing"
    raise UploadError(f"audio: expected {EXPECTED}, found {found}")


def _read_packets(data: bytes, demuxer: _Demuxer, max_s: float) -> tuple[Wave, int]:
    """The first sound stream of a container, up to `max_s`."""
    try:
        with av.open(io.BytesIO(data), "r", format=demuxer, container_options=_OPTIONS, io_open=_open_nothing) as file:
            if not file.streams.audio:
                raise UploadError("audio: expected a recording, found a file without a sound stream")
            stream = file.streams.audio[0]
            if stream.codec_context is None or stream.codec_context.name not in CODECS:
                raise UploadError(f"audio: expected sound as one of {', '.join(CODECS)}, found another codec")
            stream.codec_context.thread_count = 1
            return _join(file.decode(stream), max_s)
    except UploadError:
        raise
    except (av.FFmpegError, ValueError, OverflowError) as error:
        raise UploadError(f"audio: expected {EXPECTED}, found a damaged file ({_reason(error)})") from error


def _join(frames: Iterable[AudioFrame], max_s: float) -> tuple[Wave, int]:
    pieces: list[Wave] = []
    samples = rate_hz = channels = 0
    for frame in frames:
        if (frame.sample_rate, frame.layout.nb_channels) != (rate_hz, channels):
            if pieces:
                raise UploadError("audio: expected one sample rate and number of channels, found a change")
            rate_hz, channels = frame.sample_rate, frame.layout.nb_channels
            _check_shape(rate_hz, channels)
        pieces.append(_mono(frame))
        samples += frame.samples
        if samples > max_s * rate_hz:
            raise UploadError(f"audio: expected at most {max_s:g} s of audio, found more")
    return (np.concatenate(pieces) if pieces else np.zeros(0, np.float32)), rate_hz


def _check_shape(rate_hz: int, channels: int) -> None:
    if not 0 < channels <= MAX_PACKED_CHANNELS or not 0 < rate_hz <= MAX_RATE_HZ:
        raise UploadError(
            f"audio: expected up to {MAX_PACKED_CHANNELS} channels at up to {MAX_RATE_HZ} Hz, "
            f"found {channels} at {rate_hz} Hz"
        )


def _mono(frame: AudioFrame) -> Wave:
    samples = frame.to_ndarray()  # a row for each channel: none of CODECS interleaves them
    full_scale = 1.0 if samples.dtype.kind == "f" else 2.0 ** (8 * samples.itemsize - 1)
    mono: Wave = samples.mean(axis=0, dtype=np.float32)
    mono /= np.float32(full_scale)
    return mono


def _open_nothing(*_: Any) -> NoReturn:
    raise UploadError("audio: expected a file that holds its sound, found one that names other files")


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error))[:80]
