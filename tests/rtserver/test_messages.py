"""The codec between the processes."""

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtserver.messages import (
    Audio,
    Cancel,
    Done,
    Feed,
    FrameReader,
    Message,
    MessageError,
    Open,
    Sample,
    Segment,
    Shutdown,
    decode_body,
    encode,
)

MESSAGES: list[Message] = [
    Open("u", "中文女", seed=7, speed=1.5, streaming=True),
    Feed("u", [Segment([1, 2], 1, False), Segment([], 0, True)]),
    Feed("u", []),
    Cancel("u"),
    Audio("u", b"\x00\x01" * 100, 1.25, 31),
    Done("u", 3, [1, 2, 3], 1, False, {"audio": 2.0}),
    Sample("u#1", [1, 2], 15, 0, "final", [3], 2**40),
    Shutdown(),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: type(m).__name__)
def test_messages_survive_the_wire(message: Message) -> None:
    """What is encoded is decoded to an equal message."""
    assert FrameReader().feed(encode(message)) == [message]


@given(st.lists(st.sampled_from(MESSAGES)), st.lists(st.integers(1, 50)))
def test_any_cut_of_the_bytes(messages: list[Message], cuts: list[int]) -> None:
    """Frames come out whole and in order however the stream is cut."""
    data = b"".join(map(encode, messages))
    reader, out, at = FrameReader(), [], 0
    for cut in [*cuts, len(data)]:
        out += reader.feed(data[at : at + cut])
        at += cut
    assert out == messages


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xff",
        msgpack.packb([1]),
        msgpack.packb({"type": "Nothing"}),
        msgpack.packb({"type": "Cancel"}),
        msgpack.packb({"type": "Cancel", "utterance": "u", "more": 1}),
        msgpack.packb({"type": "Feed", "utterance": "u", "segments": [3]}),
    ],
)
def test_nonsense_is_an_error(body: bytes) -> None:
    """Bytes that are no message of ours raise MessageError."""
    with pytest.raises(MessageError, match="expected a message"):
        decode_body(body)


def test_a_huge_length_is_refused_before_it_is_read() -> None:
    """A length beyond the limit is not waited for."""
    with pytest.raises(MessageError, match="expected at most"):
        FrameReader().feed(b"\xff\xff\xff\xff")
