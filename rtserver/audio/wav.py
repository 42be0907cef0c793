"""WAV files of 16-bit mono PCM, written while the audio comes."""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

_BYTES_PER_SAMPLE = 2
# The length in the header while it is not known. Readers of streams take it as "until the end".
_UNKNOWN_BYTES = 0xFFFFFFFF


def wav_header(sample_rate: int, pcm_bytes: int | None = None) -> bytes:
    """A 44-byte RIFF header. `pcm_bytes` is None for a stream whose length is not known yet."""
    data = _UNKNOWN_BYTES if pcm_bytes is None else pcm_bytes
    riff = _UNKNOWN_BYTES if pcm_bytes is None else min(36 + pcm_bytes, _UNKNOWN_BYTES)
    rate = sample_rate * _BYTES_PER_SAMPLE
    format_chunk = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, sample_rate, rate, _BYTES_PER_SAMPLE, 16)
    return struct.pack("<4sI4s", b"RIFF", riff, b"WAVE") + format_chunk + struct.pack("<4sI", b"data", data)


class WavWriter:
    """Writes a file, or standard output if the target is "-". A file gets its true length at the end, also after an
    error, so that the sound written so far can be played."""

    def __init__(self, target: str, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self._pcm_bytes = 0
        self._to_stdout = target == "-"
        self._file: BinaryIO = sys.stdout.buffer if self._to_stdout else Path(target).open("wb")  # noqa: SIM115
        self._file.write(wav_header(sample_rate))

    @property
    def seconds(self) -> float:
        """Audio written so far."""
        return self._pcm_bytes / _BYTES_PER_SAMPLE / self._sample_rate

    def write(self, pcm: bytes) -> None:
        """Appends 16-bit little-endian samples."""
        self._file.write(pcm)
        self._pcm_bytes += len(pcm)
        if self._to_stdout:
            self._file.flush()

    def close(self) -> None:
        """Completes the header and closes the file."""
        if self._to_stdout:
            self._file.flush()
            return
        self._file.seek(0)
        self._file.write(wav_header(self._sample_rate, self._pcm_bytes))
        self._file.close()

    def __enter__(self) -> WavWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
