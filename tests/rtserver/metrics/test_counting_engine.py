"""What an engine that counts makes of the events of an utterance."""

from __future__ import annotations

import asyncio

import pytest

from rtserver.engine.admitting import Overloaded
from rtserver.engine.api import EngineError, Event
from rtserver.ipc.engine import Failed, Flushed, Hungry, Open, Started
from rtserver.schedule.admission import Refusal
from tests.rtserver.metrics.scraped import counted
from tests.rtserver.metrics.scripted import RATE_HZ, Counted, audio, done, letters

STARTED = Started("u", "voice", 1)


def test_events_and_calls_go_through_unchanged() -> None:
    """Whoever opens an utterance hears every event as it is, and the engine every call."""
    c = Counted()
    utterance = c.open()
    events: list[Event] = [STARTED, audio(0.1), Hungry("u"), Flushed("u", "f", 0.1), done(3)]
    for event in events:
        c.engine.send(event)
    assert c.events == events and all(found is sent for found, sent in zip(c.events, events, strict=True))
    text = letters(2)
    utterance.feed(text)
    utterance.flush("f")
    utterance.end()
    utterance.heard(1.5)
    utterance.hold(True)
    utterance.cancel()
    assert c.engine.utterance.told == [text, ("flush", "f"), "end", ("heard", 1.5), ("hold", True), "cancel"]


def test_the_rest_of_the_engine_is_the_engines() -> None:
    """What it has loaded, whether it is ready, what it says of its load, and its end."""
    c = Counted()
    assert c.counting.info is c.engine.info and c.counting.live == 3 and c.counting.load is None
    assert c.counting.ready
    c.engine.ready = False
    assert not c.counting.ready
    asyncio.run(c.counting.close())
    assert c.engine.closed


def test_an_utterance_is_counted_when_it_is_done() -> None:
    """Its text, tokens and sound count at its end; until then it is live."""
    c = Counted()
    utterance = c.open()
    utterance.feed(letters(20))
    utterance.feed(letters(5))
    for event in (STARTED, audio(0.5, 13), audio(1.0, 38)):
        c.engine.send(event)
    assert c.metrics.live == {"realtime": 1, "batch": 0}
    assert counted(c.metrics).summed("rt_utterances_total") == 0
    c.engine.send(done(40, audio=1.5, flow=0.3))
    found = counted(c.metrics)
    assert c.metrics.live == {"realtime": 0, "batch": 0}
    assert found.utterances() == (1, 0, 0)
    assert found("rt_audio_seconds_total") == pytest.approx(1.5)
    assert (found("rt_text_ids_total"), found("rt_speech_tokens_total")) == (25, 40)
    assert found("rt_stage_seconds_total", stage="flow") == 0.3


def test_a_cancelled_utterance_counts_what_was_made_of_it() -> None:
    """Barge-in: the sound and tokens so far count, and the first sound was as late as it was; later calls add
    nothing."""
    c = Counted()
    utterance = c.open(Open("u", "voice", service_class="batch"))
    utterance.said()
    utterance.feed(letters(10))
    c.engine.send(STARTED)
    c.now_s += 0.25
    c.engine.send(audio(0.8, 20))
    utterance.cancel()
    utterance.cancel()
    found = counted(c.metrics)
    assert found.utterances("batch") == (0, 0, 1) and found.utterances() == (0, 0, 0)
    assert found("rt_audio_seconds_total") == pytest.approx(0.8)
    assert (found("rt_text_ids_total"), found("rt_speech_tokens_total")) == (10, 20)
    assert found("rt_ttfa_seconds_sum", class_="batch") == pytest.approx(0.25)
    assert found("rt_utterance_audio_seconds_count", class_="batch") == 0
    assert c.metrics.live["batch"] == 0


def test_a_cancel_after_the_end_counts_nothing() -> None:
    """Fronts cancel what is over, to be sure."""
    c = Counted()
    utterance = c.open()
    c.engine.send(STARTED)
    c.engine.send(done())
    utterance.cancel()
    assert counted(c.metrics).utterances() == (1, 0, 0) and c.metrics.live["realtime"] == 0


def test_first_sound_is_timed_from_the_first_text() -> None:
    """Text that is still read counts, and so does text that comes before the first that could be spoken; time before
    the first text does not."""
    c = Counted()
    utterance = c.open()
    c.now_s += 5.0
    utterance.said()
    c.now_s += 0.1
    utterance.said()
    utterance.feed(letters(3))
    c.engine.send(STARTED)
    c.now_s += 0.3
    c.engine.send(audio(0.5))
    c.now_s += 0.5
    c.engine.send(audio(0.5))
    c.engine.send(done(text_wait=0.05, queue=0.02))
    found = counted(c.metrics)
    assert found("rt_ttfa_seconds_sum", class_="realtime") == pytest.approx(0.4)
    assert found("rt_ttfa_seconds_count", class_="realtime") == 1
    assert found("rt_text_wait_seconds_sum", class_="realtime") == pytest.approx(0.15)
    assert found("rt_queue_seconds_sum", class_="realtime") == pytest.approx(0.02)


def test_without_text_the_first_sound_is_timed_from_the_opening() -> None:
    """A recording that is said again has no text to wait for."""
    c = Counted()
    c.open(Open("u", "voice", mode="vc"))
    c.now_s += 0.7
    c.engine.send(STARTED)
    c.engine.send(audio(0.5))
    assert counted(c.metrics)("rt_ttfa_seconds_sum", class_="realtime") == pytest.approx(0.7)


def test_what_fails_before_it_is_started_was_refused() -> None:
    """An unknown voice is a refusal with its reason, not an utterance that failed."""
    c = Counted()
    c.open()
    c.engine.send(Failed("u", "unknown_voice", "no such voice"))
    found = counted(c.metrics)
    assert found.refusals() == {"unknown_voice": 1} and found.utterances() == (0, 0, 0)
    assert c.metrics.live["realtime"] == 0 and len(c.events) == 1


def test_what_fails_later_has_failed() -> None:
    """Once it is Started an error ends the utterance, and is no refusal."""
    c = Counted()
    c.open()
    for event in (STARTED, audio(0.5, 10), Failed("u", "engine_lost", "gone")):
        c.engine.send(event)
    found = counted(c.metrics)
    assert found.utterances() == (0, 1, 0) and found.refusals() == {}
    assert found("rt_audio_seconds_total") == pytest.approx(0.5)


def test_an_utterance_that_leaves_before_it_is_started_is_cancelled() -> None:
    """It was not refused: it did not wait for the answer."""
    c = Counted()
    c.open().cancel()
    found = counted(c.metrics)
    assert found.utterances() == (0, 0, 1) and found.refusals() == {}


def test_text_that_cannot_be_read_is_a_failure() -> None:
    """The cancel that follows is the front's, not the client's."""
    c = Counted()
    utterance = c.open()
    c.engine.send(STARTED)
    utterance.unreadable()
    utterance.cancel()
    assert counted(c.metrics).utterances() == (0, 1, 0)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Overloaded(Refusal("capacity", "no place", 0.5)), "overloaded"),
        (EngineError("closed"), "engine_lost"),
    ],
)
def test_an_engine_that_does_not_open_refuses(error: EngineError, reason: str) -> None:
    """The error goes on to whoever opens; the refusal has the reason that the client is told, and nothing is live."""
    c = Counted()
    c.engine.refuses = error
    with pytest.raises(EngineError) as raised:
        c.open()
    assert raised.value is error
    found = counted(c.metrics)
    assert found.refusals() == {reason: 1} and found.utterances() == (0, 0, 0)
    assert c.metrics.live["realtime"] == 0 and c.counting.utterance("u") is None


def test_a_name_is_known_while_its_utterance_is_open() -> None:
    """The reader finds the utterance whose text it reads."""
    c = Counted()
    utterance = c.open()
    assert c.counting.utterance("u") is utterance and c.counting.utterance("v") is None
    c.engine.send(STARTED)
    c.engine.send(done())
    assert c.counting.utterance("u") is None


def test_the_rate_of_the_sound_is_the_engines() -> None:
    """A second of sound is what the engine says it is."""
    c = Counted()
    c.engine.info = c.engine.info.__class__("scripted", RATE_HZ // 3, ["voice"], {})
    c.open()
    c.engine.send(STARTED)
    c.engine.send(audio(1.0))
    c.engine.send(done())
    assert counted(c.metrics)("rt_audio_seconds_total") == pytest.approx(3.0)
