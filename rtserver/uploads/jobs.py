"""What passes between the front and a decoder process: one job at a time, bytes after a header of fixed size."""

from __future__ import annotations

import struct
from dataclasses import dataclass

# Sent once, when the libraries are loaded. The second one: the system has no means to take the network away.
READY, READY_UNCONFINED = b"R", b"U"
# Bytes that follow, the most seconds to decode, the seconds after which the process ends itself.
JOB = struct.Struct("<Qdd")
# How it went, the sample rate, bytes that follow: samples, or the reason in UTF-8.
ANSWER = struct.Struct("<BIQ")
DECODED, REFUSED = 0, 1


@dataclass(frozen=True)
class DecodedWave:
    """A recording: mono, 16-bit little-endian samples at the file's own rate."""

    pcm_s16: bytes
    sample_rate: int
    seconds: float
