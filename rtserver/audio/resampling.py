"""Changes the sample rate of sound while it comes.

One second of audio at 24 kHz takes 0.2 to 0.3 ms of CPU time. The filter works in blocks. So the sound comes out 40 ms
late (to a higher or a slightly lower rate) or 80 ms late (to half the rate or less). `finish` returns the rest.
"""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray

from rtserver.audio.frames import BYTES_PER_SAMPLE

_FULL_SCALE = 32768.0


class Resampler:
    """One filter for one stream. However the samples are cut into calls, the same samples come out.

    With `floats` it returns 32-bit floats from -1 to 1 instead of 16-bit samples. If both rates are equal, it does not
    change the samples and holds none back.
    """

    def __init__(self, in_rate: int, out_rate: int, *, floats: bool = False) -> None:
        self._floats = floats
        # The filter works on floats. With 16-bit samples soxr adds noise that depends on how the sound is cut.
        self._stream = None if in_rate == out_rate else soxr.ResampleStream(in_rate, out_rate, 1, dtype="float32")

    def feed(self, pcm: bytes) -> bytes:
        """Adds 16-bit samples. Returns what is ready. Raises ValueError for half a sample."""
        if len(pcm) % BYTES_PER_SAMPLE:
            raise ValueError(f"expected whole 16-bit samples, found {len(pcm)} bytes")
        if self._stream is None and not self._floats:
            return pcm
        samples = np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(_FULL_SCALE)
        return self._out(samples if self._stream is None else self._stream.resample_chunk(samples))

    def finish(self) -> bytes:
        """Returns the rest. Nothing may be fed afterwards."""
        if self._stream is None:
            return b""
        return self._out(self._stream.resample_chunk(np.zeros(0, np.float32), last=True))

    def _out(self, samples: NDArray[np.float32]) -> bytes:
        # The filter may overshoot full scale. A 16-bit sample must not wrap around there, and neither must the integers
        # that a reader makes of the floats.
        if self._floats:
            return np.clip(samples, -1.0, 1.0).astype("<f4").tobytes()
        whole: NDArray[np.float32] = np.rint(samples * np.float32(_FULL_SCALE))
        return np.clip(whole, -_FULL_SCALE, _FULL_SCALE - 1).astype("<i2").tobytes()
