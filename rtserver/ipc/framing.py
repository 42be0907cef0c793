"""How messages travel between processes: a 4-byte little-endian length, then a msgpack map."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import get_args

from rtserver.ipc.message import Message
from rtserver.messages.codec import Codec, MessageError

MAX_MESSAGE_BYTES = 64 << 20
_LENGTH = struct.Struct("<I")

CODEC: Codec[Message] = Codec(get_args(Message))


def encode(message: Message) -> bytes:
    """One frame. Raises MessageError for what the other side could not read."""
    try:
        body = CODEC.to_msgpack(message)
    except (ValueError, OverflowError, TypeError) as error:
        raise MessageError("bad_message", f"{type(message).__name__}: expected a message, found {error}") from error
    if len(body) > MAX_MESSAGE_BYTES:
        raise MessageError("bad_message", f"expected at most {MAX_MESSAGE_BYTES} bytes, found {len(body)}")
    return _LENGTH.pack(len(body)) + body


@dataclass
class FrameReader:
    """Cuts a byte stream into messages. Pure: call `feed` with the bytes as they come."""

    buffer: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> list[Message]:
        """Returns the messages that are complete now. Raises MessageError."""
        self.buffer += data
        messages: list[Message] = []
        while len(self.buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self.buffer)
            if length > MAX_MESSAGE_BYTES:
                raise MessageError("bad_message", f"expected at most {MAX_MESSAGE_BYTES} bytes, found {length}")
            end = _LENGTH.size + length
            if len(self.buffer) < end:
                break
            messages.append(CODEC.from_msgpack(bytes(self.buffer[_LENGTH.size : end])))
            del self.buffer[:end]
        return messages
