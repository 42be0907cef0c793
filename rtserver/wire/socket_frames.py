"""WebSocket frames as bytes (RFC 6455), for what aiohttp cannot do: several frames in one write, and control frames
that do not wait. A server masks no frame, and nothing here is compressed. Pure."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from rtserver.messages.wire import AUDIO_HEADER, Audio

PING, PONG = 0x9, 0xA
_BINARY = 0x2
_WHOLE = 0x80  # a message in one frame

_UP_TO_125 = struct.Struct("!BB")
_UP_TO_64K = struct.Struct("!BBH")
_LARGER = struct.Struct("!BBQ")


def audio_frames(frames: Iterable[Audio]) -> bytes:
    """The sound of the native wire in JSON: a binary frame each, with the wire's header and then the samples."""
    parts: list[bytes] = []
    size, header = -1, b""
    for frame in frames:
        data = frame.data
        if len(data) != size:  # most frames of a stream are as long as the one before
            size = len(data)
            header = _header(_BINARY, AUDIO_HEADER.size + size)
        parts += (header, AUDIO_HEADER.pack(frame.stream, frame.seq, frame.start_ms), data)
    return b"".join(parts)


def control_frame(opcode: int, payload: bytes = b"") -> bytes:
    """A ping or a pong; its payload has at most 125 bytes."""
    return _UP_TO_125.pack(_WHOLE | opcode, len(payload)) + payload


def _header(opcode: int, size: int) -> bytes:
    if size < 126:
        return _UP_TO_125.pack(_WHOLE | opcode, size)
    if size < 1 << 16:
        return _UP_TO_64K.pack(_WHOLE | opcode, 126, size)
    return _LARGER.pack(_WHOLE | opcode, 127, size)
