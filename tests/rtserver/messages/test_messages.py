"""The codec between the processes."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtserver.ipc.engine import Audio, Cancel, Done, Feed, Open, Ready, VoiceInfo
from rtserver.ipc.framing import CODEC, FrameReader, encode
from rtserver.ipc.message import Message
from rtserver.ipc.preparing import Dismiss, PreparationKey, Prepare, Prepared, Recording
from rtserver.ipc.process import Shutdown
from rtserver.ipc.reading import Segment
from rtserver.ipc.talker import SampleQuantum
from rtserver.messages.codec import MessageError

MESSAGES: list[Message] = [
    Open("u", "中文女", seed=7, speed=1.5, streaming=True),
    Feed("u", [Segment([1, 2], 1, False), Segment([], 0, True)]),
    Feed("u", []),
    Open("u", "", "vc", prompt_audio=Recording(b"\0\1", 16000), source_pieces=[[1], []], target_s=2.5),
    Prepare(PreparationKey("recording", "abc"), Recording(b"\xff" * 9, 48000, "abc", 1.5)),
    Prepared(PreparationKey("source", "abc"), "bad_audio", "silence"),
    Prepared(PreparationKey("source", "abc"), prompt=b"\xc1", pieces=[[1, 2], [3]]),
    Dismiss(PreparationKey("source", "abc")),
    Ready("nano", 24000, ["anna"], {"talker": 1.5}, ["vc"], voice_details=[VoiceInfo("anna", ["a"], None, "female")]),
    Cancel("u"),
    Audio("u", b"\x00\x01" * 100, 1.25, 31),
    Done("u", 3, [1, 2, 3], 1, False, {"audio": 2.0}),
    SampleQuantum("u", 1, [1, 2], 15, 0, "final", [3], 2**40),
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
    ("body", "code"),
    [
        (b"", "bad_message"),
        (b"\xff\xff", "bad_message"),
        (msgpack.packb([1]), "bad_message"),
        (msgpack.packb({"type": "Nothing"}), "unknown_type"),
        (msgpack.packb({"type": "Cancel"}), "bad_message"),
        (msgpack.packb({"type": "Cancel", "utterance": "u", "more": 1}), "unknown_field"),
        (msgpack.packb({"type": "Feed", "utterance": "u", "segments": [3]}), "bad_message"),
    ],
)
def test_nonsense_is_an_error(body: bytes, code: str) -> None:
    """Bytes that are no message of ours raise MessageError with the wire's code."""
    with pytest.raises(MessageError) as caught:
        CODEC.from_msgpack(body)
    assert caught.value.code == code


def test_a_huge_length_is_refused_before_it_is_read() -> None:
    """A length beyond the limit is not waited for."""
    with pytest.raises(MessageError, match="expected at most"):
        FrameReader().feed(b"\xff\xff\xff\xff")
