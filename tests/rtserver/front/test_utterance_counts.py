"""What is counted of an utterance."""

from __future__ import annotations

from typing import Any

import pytest

from rtserver.engine.api import EngineError
from rtserver.front.utterance import NotOpened
from rtserver.ipc.engine import Failed, Open, Started
from rtserver.ipc.preparing import Recording
from rtserver.messages.incidents import client_text
from rtserver.schedule.admission import AdmissionLimits
from tests.rtserver.front.scripted import RATE_HZ, Scripted, audio, done, letters
from tests.rtserver.metrics.scraped import counted

STARTED = Started("u", "voice", 1)


def test_an_utterance_is_counted_when_it_is_done() -> None:
    """Its text, tokens and sound count at its end; until then it is live."""
    s = Scripted()
    s.open()
    s.read(letters(20))
    s.read(letters(5))
    for event in (STARTED, audio(0.5, 13), audio(1.0, 38)):
        s.engine.send(event)
    assert s.metrics.live == {"realtime": 1, "batch": 0}
    assert counted(s.metrics).summed("rt_utterances_total") == 0
    s.engine.send(done(40, audio=1.5, flow=0.3))
    found = counted(s.metrics)
    assert s.metrics.live == {"realtime": 0, "batch": 0}
    assert found.utterances() == (1, 0, 0)
    assert found("rt_audio_seconds_total") == pytest.approx(1.5)
    assert (found("rt_text_ids_total"), found("rt_speech_tokens_total")) == (25, 40)
    assert found("rt_stage_seconds_total", stage="flow") == 0.3


def test_a_cancelled_utterance_counts_what_was_made_of_it() -> None:
    """Barge-in: the sound and tokens so far count, and the first sound was as late as it was; later calls add
    nothing."""
    s = Scripted()
    utterance = s.open(Open("u", "voice", service_class="batch"))
    utterance.say("text")
    s.read(letters(10))
    s.engine.send(STARTED)
    s.now_s += 0.25
    s.engine.send(audio(0.8, 20))
    utterance.stop()
    utterance.stop()
    found = counted(s.metrics)
    assert found.utterances("batch") == (0, 0, 1) and found.utterances() == (0, 0, 0)
    assert found("rt_audio_seconds_total") == pytest.approx(0.8)
    assert (found("rt_text_ids_total"), found("rt_speech_tokens_total")) == (10, 20)
    assert found("rt_ttfa_seconds_sum", class_="batch") == pytest.approx(0.25)
    assert found("rt_utterance_audio_seconds_count", class_="batch") == 0
    assert s.metrics.live["batch"] == 0


def test_a_stop_after_the_end_counts_nothing() -> None:
    """Connections stop what is over, to be sure."""
    s = Scripted()
    utterance = s.open()
    s.engine.send(STARTED)
    s.engine.send(done())
    utterance.stop()
    assert counted(s.metrics).utterances() == (1, 0, 0) and s.metrics.live["realtime"] == 0


def test_first_sound_is_timed_from_the_first_text() -> None:
    """Text that is still read counts, and so does text that comes before the first that could be spoken; time before
    the first text does not."""
    s = Scripted()
    utterance = s.open()
    s.now_s += 5.0
    utterance.say("on")
    s.now_s += 0.1
    utterance.say("e ")
    s.read(letters(3))
    s.engine.send(STARTED)
    s.now_s += 0.3
    s.engine.send(audio(0.5))
    s.now_s += 0.5
    s.engine.send(audio(0.5))
    s.engine.send(done(text_wait=0.05, queue=0.02))
    found = counted(s.metrics)
    assert found("rt_ttfa_seconds_sum", class_="realtime") == pytest.approx(0.4)
    assert found("rt_ttfa_seconds_count", class_="realtime") == 1
    assert found("rt_text_wait_seconds_sum", class_="realtime") == pytest.approx(0.15)
    assert found("rt_queue_seconds_sum", class_="realtime") == pytest.approx(0.02)


def test_without_text_the_first_sound_is_timed_from_the_opening() -> None:
    """A recording that is said again has no text to wait for."""
    s = Scripted()
    s.open(Open("u", "voice", mode="vc"))
    s.now_s += 0.7
    s.engine.send(STARTED)
    s.engine.send(audio(0.5))
    assert counted(s.metrics)("rt_ttfa_seconds_sum", class_="realtime") == pytest.approx(0.7)


def test_what_fails_before_it_is_started_was_refused() -> None:
    """An unknown voice is a refusal with its reason, not an utterance that failed, whatever is called later."""
    s = Scripted()
    utterance = s.open()
    s.engine.send(Failed("u", "unknown_voice", "no such voice"))
    utterance.stop()
    found = counted(s.metrics)
    assert found.refusals() == {"unknown_voice": 1} and found.utterances() == (0, 0, 0)
    assert s.metrics.live["realtime"] == 0 and len(s.events) == 1


def test_what_fails_later_has_failed() -> None:
    """Once it is Started an error ends the utterance, and is no refusal."""
    s = Scripted()
    s.open()
    for event in (STARTED, audio(0.5, 10), Failed("u", "engine_lost", "gone")):
        s.engine.send(event)
    found = counted(s.metrics)
    assert found.utterances() == (0, 1, 0) and found.refusals() == {}
    assert found("rt_audio_seconds_total") == pytest.approx(0.5)


def test_an_utterance_that_leaves_before_it_is_started_is_cancelled() -> None:
    """It was not refused: it did not wait for the answer."""
    s = Scripted()
    s.open().stop()
    found = counted(s.metrics)
    assert found.utterances() == (0, 0, 1) and found.refusals() == {}


def test_text_that_cannot_be_read_is_a_failure() -> None:
    """The work at the engine ends, and the session is told why; a stop that follows counts nothing."""
    s = Scripted()
    utterance = s.open()
    s.engine.send(STARTED)
    failed = Failed("u", "bad_message", "broken")
    s.reader.answer(failed)
    utterance.stop()
    assert counted(s.metrics).utterances() == (0, 1, 0)
    assert s.unreadable == [failed] and s.engine.utterance.told[0] == "cancel"


@pytest.mark.parametrize("part", ["engine", "reader"])
@pytest.mark.parametrize("code", ["internal", "a code that the wire does not know"])
def test_the_text_of_a_fault_goes_to_the_log_alone(part: str, code: str, caplog: pytest.LogCaptureFixture) -> None:
    """The client is told what to do and the id under which the log has the rest."""
    s = Scripted()
    s.open()
    s.engine.send(STARTED)
    failed = Failed("u", code, "OSError: /srv/voices/SECRET.wav")
    if part == "engine":
        s.engine.send(failed)
    else:
        s.reader.answer(failed)
    (record,) = caplog.records
    fields = vars(record)
    assert record.getMessage() == failed.message and fields["utterance"] == "u"
    (told,) = s.events[1:] + s.unreadable
    assert isinstance(told, Failed) and told.message == client_text(fields["incident"]) and "try again" in told.message


def test_an_utterance_that_finds_no_place_is_a_refusal() -> None:
    """The session hears `overloaded` and when to try again, and nothing is opened or live."""
    s = Scripted(AdmissionLimits(max_streams=1))
    s.open()
    with pytest.raises(NotOpened) as raised:
        s.open(Open("v", "voice"))
    failed = raised.value.failed
    assert (failed.utterance, failed.code) == ("v", "overloaded") and "all are open" in failed.message
    assert failed.retry_after_s is not None and failed.retry_after_s > 0
    found = counted(s.metrics)
    assert found.refusals() == {"overloaded": 1} and found.utterances() == (0, 0, 0)
    assert s.metrics.live["realtime"] == 1


def test_an_engine_that_does_not_open_refuses() -> None:
    """The session hears the engine's reason as `engine_lost`, and nothing is live."""
    s = Scripted()
    s.engine.refuses = EngineError("closed")
    with pytest.raises(NotOpened) as raised:
        s.open()
    assert raised.value.failed == Failed("u", "engine_lost", "closed") and raised.value.__cause__ is s.engine.refuses
    found = counted(s.metrics)
    assert found.refusals() == {"engine_lost": 1} and found.utterances() == (0, 0, 0)
    assert s.metrics.live["realtime"] == 0


def test_the_rate_of_the_sound_is_the_engines() -> None:
    """A second of sound is what the engine says it is."""
    s = Scripted()
    s.engine.info = s.engine.info.__class__("scripted", RATE_HZ // 3, ["voice"], {})
    s.open()
    s.engine.send(STARTED)
    s.engine.send(audio(1.0))
    s.engine.send(done())
    assert counted(s.metrics)("rt_audio_seconds_total") == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("settings", "refused"),
    [
        ({"max_preparations": 1}, "at most 1 recordings to prepare at once"),
        ({"max_recording_bytes": 40_000}, "at most 40000 bytes of recordings at once"),
    ],
)
def test_recordings_are_held(settings: dict[str, Any], refused: str) -> None:
    """Their samples until the utterance is over, and a preparation until the engine has begun."""
    s = Scripted(**settings)
    request = Open("u", "voice", prompt_audio=Recording(b"\1\0" * 16000, 16000).named())
    utterance = s.open(request)
    held = s.accounts.held
    with pytest.raises(NotOpened) as found:
        s.open(request)
    assert found.value.failed.code == "overloaded" and refused in found.value.failed.message
    assert (held["preparations"], held["recording_bytes"]) == (1, 32_000)
    s.engine.send(STARTED)
    assert (held["preparations"], held["recording_bytes"]) == (0, 32_000)
    utterance.stop()
    assert not +held
