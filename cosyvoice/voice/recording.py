"""Recordings: reading a file within limits, checking it, and finding silence in it.

Waves are float32 arrays of shape [samples], mono, in [-1, 1]. Rates are in Hz, lengths in seconds.
"""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cosyvoice.errors import VoiceError

Wave = NDArray[np.float32]

MIN_RATE_HZ = 16000
MAX_RATE_HZ = 192000
MAX_CHANNELS = 8
FORMATS = ("WAV", "WAVEX", "FLAC", "MP3", "OGG")
SILENCE_DBFS = -60.0

_FRAME_S = 0.02
_QUIET_RATIO = 0.01  # 40 dB below the loudest frame
_MAX_RATE_STEP = 1000
_MAX_PEAK = 2.0


class RecordingError(VoiceError):
    """The recording cannot be used: it is no audio, its length or rate is not allowed, or it is silent."""


def read_wave(source: Path | bytes, max_bytes: int = 20_000_000, max_s: float = 60.0) -> tuple[Wave, int]:
    """Reads a wav, flac, mp3 or ogg file (or its bytes) as (mono wave, rate). The mean of all channels is taken.

    It decodes at most `max_s` seconds. Raises RecordingError when the file is missing, larger or longer than the
    limits, or not audio of these formats.
    """
    import soundfile  # only here: a machine that reads no recordings does not need it

    label, data = _read_bytes(source, max_bytes)
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            rate, channels = int(file.samplerate), int(file.channels)
            if file.format not in FORMATS:
                raise RecordingError(f"{label}: expected wav, flac, mp3 or ogg audio, found {file.format}")
            if channels > MAX_CHANNELS or not 0 < rate <= MAX_RATE_HZ:
                raise RecordingError(
                    f"{label}: expected up to {MAX_CHANNELS} channels at up to {MAX_RATE_HZ} Hz, "
                    f"found {channels} at {rate} Hz"
                )
            # Second by second, because a header may claim any length, and a small file may hold hours of silence.
            seconds: list[Wave] = []
            while len(block := file.read(rate, dtype="float32", always_2d=True)):
                seconds.append(block.mean(axis=1, dtype=np.float32))
                if sum(map(len, seconds)) > max_s * rate:
                    raise RecordingError(f"{label}: expected at most {max_s:g} s of audio, found more")
    except soundfile.LibsndfileError as error:
        raise RecordingError(f"{label}: expected wav, flac, mp3 or ogg audio, found {error.error_string}") from error
    return (np.concatenate(seconds) if seconds else np.zeros(0, np.float32)), rate


def read_pcm(pcm: bytes) -> Wave:
    """Mono 16-bit little-endian samples as a wave. Raises RecordingError for an odd number of bytes."""
    if len(pcm) % 2:
        raise RecordingError(f"expected samples of 2 bytes, found {len(pcm)} bytes")
    return np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32768)


def _read_bytes(source: Path | bytes, max_bytes: int) -> tuple[str, bytes]:
    if isinstance(source, bytes):
        label, data = "audio", source
    else:
        label = str(source)
        try:
            with source.open("rb") as file:
                data = file.read(max_bytes + 1)
        except OSError as error:
            raise RecordingError(f"{label}: expected an audio file, found {error.strerror}") from error
    if len(data) > max_bytes:
        raise RecordingError(f"{label}: expected at most {max_bytes} bytes of audio, found more")
    return label, data


def check_length(length_s: float, rate_hz: int, min_s: float, max_s: float) -> None:
    """Raises RecordingError when a wave of this rate and length cannot be used."""
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise RecordingError(f"expected a sample rate from {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz, found {rate_hz} Hz")
    if rate_hz // math.gcd(rate_hz, MIN_RATE_HZ) > _MAX_RATE_STEP:
        # The resampler's kernel grows with the square of this number: 44,101 Hz would take gigabytes.
        common = "16000, 24000, 44100 or 48000 Hz"
        raise RecordingError(f"expected a common sample rate such as {common}, found {rate_hz} Hz")
    if not min_s <= length_s <= max_s:
        raise RecordingError(f"expected {min_s:g} to {max_s:g} s of audio, found {length_s:.2f} s")


def check_wave(wave: Wave, rate_hz: int, min_s: float, max_s: float) -> None:
    """Raises RecordingError when the wave cannot be used. Checks its length, its samples and that it is not silent."""
    if wave.ndim != 1:
        raise RecordingError(f"expected one channel of samples, found an array of shape {wave.shape}")
    check_length(len(wave) / max(1, rate_hz), rate_hz, min_s, max_s)
    if not np.isfinite(wave).all():
        raise RecordingError("expected finite samples, found NaN or infinity")
    peak = float(np.abs(wave).max())
    if peak > _MAX_PEAK:
        raise RecordingError(f"expected samples in [-1, 1], found a peak of {peak:g}")
    if _frame_rms(wave, rate_hz).max() < _amplitude(SILENCE_DBFS):
        raise RecordingError(f"expected speech, found silence (nothing above {SILENCE_DBFS:g} dBFS)")


def trailing_silence_s(wave: Wave, rate_hz: int) -> float:
    """Length of the silence at the end of the wave, in steps of 20 ms.

    A step is silent when it is 40 dB below the loudest step, or below -60 dBFS.
    """
    rms = _frame_rms(wave[::-1], rate_hz)
    loud = np.flatnonzero(rms >= max(rms.max() * _QUIET_RATIO, _amplitude(SILENCE_DBFS)))
    return float((loud[0] if len(loud) else len(rms)) * _FRAME_S)


def cut_at_silences(wave: Wave, rate_hz: int, max_s: float, grid_s: float) -> list[Wave]:
    """Cuts a wave into pieces of at most `max_s`. The length of each piece but the last is a multiple of `grid_s`.

    A cut is in the second half of the longest possible piece, in the middle of its quietest four steps of `grid_s`. At
    least one second is left after a cut.
    """
    grid = round(grid_s * rate_hz)
    limit = int(max_s * rate_hz) // grid
    pieces: list[Wave] = []
    while len(wave) > limit * grid:
        last = min(limit, (len(wave) - rate_hz) // grid)
        first = limit // 2
        power = np.square(wave[: len(wave) // grid * grid], dtype=np.float64).reshape(-1, grid).mean(axis=1)
        loudness = [power[cut - 2 : cut + 2].mean() for cut in range(first, last + 1)]
        cut = (first + int(np.argmin(loudness))) * grid
        pieces.append(wave[:cut])
        wave = wave[cut:]
    return [*pieces, wave]


def _frame_rms(wave: Wave, rate_hz: int) -> NDArray[np.float64]:
    """Root mean square of each frame of 20 ms. The last frame may be shorter."""
    frame = int(_FRAME_S * rate_hz)
    starts = np.arange(0, len(wave), frame)
    sums = np.add.reduceat(np.square(wave, dtype=np.float64), starts)
    lengths = np.minimum(frame, len(wave) - starts)
    rms: NDArray[np.float64] = np.sqrt(sums / lengths)
    return rms


def _amplitude(dbfs: float) -> float:
    return float(10.0 ** (dbfs / 20.0))
