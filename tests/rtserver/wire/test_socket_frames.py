"""WebSocket frames that are made here, as a client of the websockets package reads them."""

from __future__ import annotations

import pytest
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from rtserver.messages import wire
from rtserver.wire.socket_frames import PING, PONG, audio_frames, control_frame


def read(data: bytes) -> list[Frame]:
    """Every frame of a server's, to the last byte."""
    stream = StreamReader()
    stream.feed_data(data)
    frames = []
    while stream.buffer:
        parsing = Frame.parse(stream.read_exact, mask=False)
        with pytest.raises(StopIteration) as parsed:
            next(parsing)
        frames.append(parsed.value.value)
    return frames


def sound(size: int, seq: int = 0) -> wire.Audio:
    return wire.Audio("a", seq, 40 * seq, bytes([seq % 256]) * size, 3)


@pytest.mark.parametrize("size", [0, 2, 112, 114, 4800, (1 << 16) - 14, (1 << 16) - 12, 1 << 17])
def test_a_frame_of_any_size_is_one_whole_binary_message(size: int) -> None:
    """On either side of where the header grows it holds what the wire says of a frame of sound."""
    (frame,) = read(audio_frames([sound(size, 7)]))
    assert frame.fin and frame.opcode is Opcode.BINARY
    assert wire.unpack_audio(bytes(frame.data)) == (3, 7, 280, bytes([7]) * size)


def test_frames_of_several_sizes_follow_each_other() -> None:
    """Each keeps its own length and place."""
    sizes = [1920, 3840, 4800, 4800, 2, 4800, 70_000]
    frames = read(audio_frames([sound(size, seq) for seq, size in enumerate(sizes)]))
    assert [wire.unpack_audio(bytes(f.data)) for f in frames] == [
        (3, seq, 40 * seq, bytes([seq]) * size) for seq, size in enumerate(sizes)
    ]


def test_no_sound_is_no_bytes() -> None:
    """Nothing to send gives nothing to write."""
    assert audio_frames([]) == b""


@pytest.mark.parametrize(("code", "opcode"), [(PING, Opcode.PING), (PONG, Opcode.PONG)])
@pytest.mark.parametrize("payload", [b"", b"id", bytes(125)])
def test_control_frames(code: int, opcode: Opcode, payload: bytes) -> None:
    """A ping or pong carries its payload."""
    (frame,) = read(control_frame(code, payload))
    assert frame.fin and (frame.opcode, bytes(frame.data)) == (opcode, payload)
