"""What waits to be sent on a socket."""

from __future__ import annotations

import pytest

from rtserver.messages import wire
from rtserver.session.outbox import Closing, Item, Outbox


def audio(stream: int, context: str, seq: int = 0) -> wire.Audio:
    return wire.Audio(context, seq, 0, bytes(100), stream)


def started(stream: int, context: str) -> wire.Started:
    return wire.Started(context, "u_1", stream, "v", "pcm_s16le", 24000, 5, 0)


def mark(context: str) -> wire.Mark:
    return wire.Mark(context, "hi", 0, 0, 10, True)


def done(context: str) -> wire.Done:
    return wire.Done(context, 0, {}, {}, 0)


def contents(outbox: Outbox) -> list[Item]:
    return [outbox.pop() for _ in range(len(outbox))]


def test_items_come_out_in_order() -> None:
    """First in, first out, a closing after what was put before it."""
    outbox = Outbox()
    items: list[Item] = [started(1, "a"), audio(1, "a"), Closing(1000, "bye")]
    for item in items:
        outbox.put(item)
    assert contents(outbox) == items
    assert outbox.waiting_bytes == 0


def test_waiting_bytes_count_the_sound() -> None:
    """A frame counts its payload; taking it gives the bytes back."""
    outbox = Outbox()
    outbox.put(wire.Pong("x"))
    small = outbox.waiting_bytes
    outbox.put(audio(1, "a"))
    assert outbox.waiting_bytes == 2 * small + 100
    outbox.pop()
    outbox.pop()
    assert outbox.waiting_bytes == 0


def test_discard_takes_back_one_stream() -> None:
    """Frames, marks and `flushed` of the stream go; those of another context and other messages stay."""
    outbox = Outbox()
    keep: list[Item] = [started(1, "a"), audio(2, "b"), mark("b"), wire.Pong("p")]
    for item in (keep[0], mark("a"), audio(1, "a"), *keep[1:], wire.Flushed("a", "f", 1), audio(1, "a", 1)):
        outbox.put(item)
    assert outbox.discard(1) == audio(1, "a")
    assert contents(outbox) == keep


def test_discard_spares_an_earlier_context_of_the_same_name() -> None:
    """What an earlier context of that name still has to say is sent."""
    outbox = Outbox()
    earlier: list[Item] = [mark("a"), audio(1, "a"), done("a")]
    for item in (*earlier, started(2, "a"), mark("a"), audio(2, "a")):
        outbox.put(item)
    outbox.discard(2)
    assert contents(outbox) == [*earlier, started(2, "a")]


def test_discard_of_a_stream_without_sound_changes_nothing() -> None:
    """A stream that has nothing waiting leaves the outbox as it is."""
    outbox = Outbox()
    outbox.put(audio(1, "a"))
    assert outbox.discard(7) is None
    assert contents(outbox) == [audio(1, "a")]


def test_the_sound_of_a_stream_comes_together() -> None:
    """Its frames that are next, up to what comes before anything else; their bytes wait no longer."""
    outbox = Outbox()
    rest: list[Item] = [mark("a"), audio(1, "a", 3), audio(2, "b")]
    for item in (audio(1, "a"), audio(1, "a", 1), audio(1, "a", 2), *rest):
        outbox.put(item)
    assert outbox.next_sound == audio(1, "a")
    assert outbox.pop_sound(1000) == [audio(1, "a", seq) for seq in range(3)]
    assert outbox.next_sound is None and outbox.pop_sound(1000) == []
    assert outbox.pop() == rest[0]
    assert outbox.pop_sound(1000) == [rest[1]]
    assert contents(outbox) == [rest[2]] and outbox.waiting_bytes == 0
    assert outbox.next_sound is None and outbox.pop_sound(1000) == []


def test_no_more_sound_comes_together_than_is_asked_for() -> None:
    """What is beyond the bound waits on; but the first frame comes however large it is."""
    outbox = Outbox()
    for seq in range(4):
        outbox.put(audio(1, "a", seq))
    assert outbox.pop_sound(299) == [audio(1, "a"), audio(1, "a", 1)]
    assert outbox.pop_sound(99) == [audio(1, "a", 2)]
    assert outbox.pop_sound(100) == [audio(1, "a", 3)] and outbox.waiting_bytes == 0


def test_nothing_to_pop_is_an_index_error() -> None:
    """`pop` of an empty outbox is the caller's mistake."""
    with pytest.raises(IndexError):
        Outbox().pop()


def test_a_frame_of_the_wire_waits_like_a_message() -> None:
    """In its place, counted with its length; it belongs to no context, so a discard leaves it."""
    outbox = Outbox()
    for item in (started(1, "a"), audio(1, "a"), "a text frame", b"a binary one"):
        outbox.put(item)
    waiting_bytes = outbox.waiting_bytes
    outbox.discard(1)
    assert outbox.waiting_bytes < waiting_bytes and outbox.next_sound is None
    assert contents(outbox) == [started(1, "a"), "a text frame", b"a binary one"] and outbox.waiting_bytes == 0
    outbox.put("x" * 1000)
    assert outbox.waiting_bytes >= 1000
