"""Sound for the tests of formats, decoders that are independent of our encoders, and how similar two sounds are."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

Samples = NDArray[np.float64]  # on the scale of 16-bit samples

FULL_SCALE = 32768.0


def glide(sample_rate: int, seconds: float = 1.5) -> Samples:
    """A glide below 2 kHz, like a voice, that swells and never repeats. It is the same sound at any rate, and loud up
    to its end."""
    t = np.arange(int(sample_rate * seconds + 0.5)) / sample_rate
    phase = 2 * np.pi * (180 * t + 120 * t * t)
    return np.asarray((np.sin(phase) + 0.3 * np.sin(3 * phase)) * 6000 * (1 + 0.6 * np.sin(2 * np.pi * 3 * t)))


def pcm(samples: Samples) -> bytes:
    """16-bit little-endian samples."""
    return np.rint(samples).astype("<i2").tobytes()


def samples_of(data: bytes, dtype: str = "<i2") -> Samples:
    """The samples in these bytes. Floats from -1 to 1 are scaled to 16-bit samples."""
    scale = FULL_SCALE if dtype == "<f4" else 1.0
    return np.frombuffer(data, dtype).astype(np.float64) * scale


def decoded(data: bytes, raw: str | None = None, sample_rate: int = 8000) -> tuple[int, Samples]:
    """The rate and the samples that FFmpeg finds in a file. `raw`: the format of bytes that do not say it
    themselves."""
    options = {} if raw is None else {"sample_rate": str(sample_rate), "ch_layout": "mono"}
    with av.open(io.BytesIO(data), "r", format=raw, options=options) as container:
        rate = container.streams.audio[0].rate
        return rate, joined(container.decode(audio=0))


def decoded_packets(packets: Iterable[bytes]) -> Samples:
    """The samples of Opus packets without a container, at 48 kHz. The samples that a player would drop at the beginning
    are included."""
    context = av.CodecContext.create("opus", "r")
    assert isinstance(context, AudioCodecContext)
    context.sample_rate = 48000
    context.layout = "mono"
    return joined(frame for packet in packets for frame in context.decode(av.Packet(packet)))


def joined(frames: Iterable[AudioFrame]) -> Samples:
    """The samples of decoded frames of one channel."""
    arrays = [(frame.to_ndarray().ravel(), frame.format.name) for frame in frames]
    scaled = [array.astype(np.float64) * (FULL_SCALE if name.startswith("flt") else 1.0) for array, name in arrays]
    return np.concatenate(scaled) if scaled else np.zeros(0)


def snr_db(reference: Samples, found: Samples) -> float:
    """Compares two sounds of one length, at any loudness of the second. If one is shifted by a millisecond, the result
    is about 0."""
    assert len(reference) == len(found)
    gain = float(reference @ found) / float(found @ found)
    noise = reference - gain * found
    return float(10 * np.log10(float(reference @ reference) / max(float(noise @ noise), 1e-9)))


def in_cuts(data: bytes, sizes: list[int], take: Callable[[bytes], list[bytes]]) -> list[bytes]:
    """The results of `take` for pieces of these sizes, then for the rest in one piece."""
    out, at = [], 0
    for size in sizes:
        out += take(data[at : at + 2 * size])
        at += 2 * size
    return out + take(data[at:])
