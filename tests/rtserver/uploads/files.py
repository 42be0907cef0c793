"""Sound files of every kind, made from a wave."""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
import soundfile
from av.audio.frame import AudioFrame
from av.container import OutputContainer
from av.video.stream import VideoStream

from cosyvoice.voice.recording import Wave

RATE_HZ = 48000

# name -> libsndfile's format and subtype
PLAIN = {
    "wav-8": ("WAV", "PCM_U8"),
    "wav-16": ("WAV", "PCM_16"),
    "wav-24": ("WAV", "PCM_24"),
    "wav-32": ("WAV", "PCM_32"),
    "wav-float": ("WAV", "FLOAT"),
    "flac-16": ("FLAC", "PCM_16"),
    "flac-24": ("FLAC", "PCM_24"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "ogg-vorbis": ("OGG", "VORBIS"),
    "ogg-opus": ("OGG", "OPUS"),
}
# name -> FFmpeg's muxer and encoder
PACKED = {
    "m4a-aac": ("ipod", "aac"),
    "m4a-alac": ("ipod", "alac"),
    "aac": ("adts", "aac"),
    "mp4-opus": ("mp4", "libopus"),
    "webm-opus": ("webm", "libopus"),
}
KINDS = (*PLAIN, *PACKED)
LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}


def sweep(seconds: float = 0.5, rate_hz: int = RATE_HZ) -> Wave:
    """A tone that rises from 200 Hz, so that it matches itself at one place only."""
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    return (0.5 * np.sin(2 * np.pi * (200 * t + 300 * t * t))).astype(np.float32)


def sound_file(kind: str, wave: Wave, rate_hz: int = RATE_HZ) -> bytes:
    """A file of one of KINDS; a wave of shape [samples, channels] has several channels."""
    if kind in PACKED:
        muxer, encoder = PACKED[kind]
        return packed(wave, rate_hz, muxer, encoder)
    audio_format, subtype = PLAIN[kind]
    buffer = io.BytesIO()
    soundfile.write(buffer, wave, rate_hz, format=audio_format, subtype=subtype)
    return buffer.getvalue()


def packed(wave: Wave, rate_hz: int, muxer: str, encoder: str, *, pictures: int = 0) -> bytes:
    """A file that FFmpeg makes from a wave, with pictures if there are any."""
    channels = wave.reshape(len(wave), -1).T
    layout = LAYOUTS[len(channels)]
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=muxer) as file:
        video = _video(file) if pictures else None
        stream: Any = file.add_stream(encoder, rate=rate_hz, layout=layout)
        context = stream.codec_context
        file.start_encoding()
        if video is not None:
            _show(file, video, pictures)
        for sound in _frames(channels, rate_hz, layout, context.format.name, context.frame_size or 1024):
            file.mux(stream.encode(sound))
        file.mux(stream.encode(None))
    return buffer.getvalue()


def film(pictures: int) -> bytes:
    """Pictures without sound."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as file:
        _show(file, _video(file), pictures)
    return buffer.getvalue()


def _video(file: OutputContainer) -> VideoStream:
    video = file.add_stream("mpeg4", rate=10)
    video.width = video.height = 64
    video.pix_fmt = "yuv420p"
    return video


def _show(file: OutputContainer, video: VideoStream, pictures: int) -> None:
    picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
    for frame in (*[picture] * pictures, None):
        file.mux(video.encode(frame))


def _frames(channels: Wave, rate_hz: int, layout: str, sample_format: str, size: int) -> Iterator[AudioFrame]:
    for start in range(0, channels.shape[1], size):
        piece = channels[:, start : start + size].astype(np.float64)
        whole: Any = {"s16": np.int16, "s32": np.int32}.get(sample_format.removesuffix("p"))
        samples: Any = (
            piece.astype(np.float32) if whole is None else np.rint(piece * float(np.iinfo(whole).max)).astype(whole)
        )
        planes = samples if sample_format.endswith("p") else samples.T.reshape(1, -1)
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(planes), format=sample_format, layout=layout)
        frame.sample_rate = rate_hz
        frame.time_base = Fraction(1, rate_hz)
        frame.pts = start
        yield frame
