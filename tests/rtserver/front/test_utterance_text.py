"""What an utterance passes between session, reader and engine."""

from __future__ import annotations

from rtserver.engine.api import Event
from rtserver.ipc.engine import Flushed, Hungry, Open, Started, Writing
from tests.rtserver.front.scripted import Scripted, audio, done, letters

STARTED = Started("u", "voice", 1)


def test_events_go_through_unchanged() -> None:
    """The session hears every event as it is, but for Hungry, which is the reader's business. At the end the text is
    dropped."""
    s = Scripted()
    s.open()
    events: list[Event] = [STARTED, audio(0.1), Flushed("u", "f", 0.1), done(3)]
    for event in (*events[:2], Hungry("u"), *events[2:]):
        s.engine.send(event)
    assert s.events == events and all(found is sent for found, sent in zip(s.events[:3], events[:3], strict=True))
    assert s.reader.told == ["commit", "drop"]


def test_calls_reach_the_engine() -> None:
    """What the listener reports and holds goes there at once; a stop drops the text as well."""
    s = Scripted()
    utterance = s.open()
    utterance.heard(1.5)
    utterance.hold(True)
    utterance.stop()
    assert s.engine.utterance.told == [("heard", 1.5), ("hold", True), "cancel"] and s.reader.told == ["drop"]


def test_text_goes_through_the_reader() -> None:
    """The engine hears of a boundary when the reader has come to it, after the text before it."""
    s = Scripted()
    utterance = s.open()
    utterance.say("one two")
    utterance.flush("f")
    utterance.say(" three")
    s.engine.send(Hungry("u"))
    utterance.end()
    assert s.reader.told == ["one two", "flush", " three", "commit", "end"] and s.engine.utterance.told == []
    first, second, third = letters(2), letters(3), letters(4)
    s.read(first)
    s.read(second, boundaries=1)
    s.read(third, boundaries=3)
    assert s.engine.utterance.told == [first, second, ("flush", "f"), third, "end"]
    assert s.segments == [*first, *second, *third]


def test_a_hungry_engine_gets_every_word_until_it_is_fed() -> None:
    """First what the reader holds back, then what comes: some words together, or any word when it is urgent."""
    s = Scripted()
    utterance = s.open()
    utterance.say("one ")
    s.engine.send(Hungry("u", urgent=False))
    utterance.say("two ")
    s.engine.send(Hungry("u", urgent=True))
    utterance.say("three ")
    s.read(letters(1), boundaries=4)
    utterance.say("four ")
    assert s.reader.told == ["one ", "offer", "two ", "offer", "commit", "three ", "commit", "four "]


def test_the_first_words_of_a_slow_writer_are_not_held_back() -> None:
    """Half a second after the first text, some words together are given out; when text is not spoken before it is
    complete, none are."""
    told = {}
    for streaming in (True, False):
        s = Scripted()
        utterance = s.open(Open("u", "voice", streaming=streaming))
        for _ in range(3):
            utterance.say("word ")
            s.now_s += 0.3
        told[streaming] = s.reader.told
    assert told == {True: ["word ", "word ", "word ", "offer"], False: ["word ", "word ", "word "]}


def test_the_engine_hears_how_fast_the_text_is_written() -> None:
    """From the second piece on; the first piece is no measure."""
    s = Scripted()
    utterance = s.open()
    utterance.say("a long first piece")
    s.read(letters(1))
    assert s.engine.utterance.writing == Writing(0.0, None)
    s.now_s += 2.0
    utterance.say("10 letters")
    s.now_s += 0.5
    s.read(letters(1))
    assert s.engine.utterance.writing == Writing(2.5, 5.0)


def test_times_are_counted_from_the_first_text() -> None:
    """The engine's begin with the first segment that it got; what reading took before is added, once."""
    s = Scripted()
    utterance = s.open()
    utterance.say("on")
    s.now_s += 0.25
    s.read(letters(1))
    s.now_s += 1.0
    s.read(letters(1))
    s.engine.send(STARTED)
    s.engine.send(done(wall=3.0, ttfa=1.0, text_wait=0.5, queue=0.125))
    assert s.events[-1] == done(wall=3.25, ttfa=1.25, text_wait=0.75, queue=0.125)
