"""One context: what it says of an engine's events, and of its end."""

from __future__ import annotations

from typing import Any

import pytest

from rtserver.audio.formats import SoundFormat
from rtserver.ipc import engine
from rtserver.messages import wire
from rtserver.metrics.attribution import Gap
from rtserver.metrics.trace import Ring
from rtserver.session.context import Context
from tests.rtserver.session.sessions import MS, audio, done, words

OPENED_S = 10.0


def new_context(text: str = "", *, marks: bool = True, ring: Ring | None = None, **request_fields: Any) -> Context:
    """Its text is read at once, every character of a word one text id."""
    request, sound = engine.Open("u_3", "default", seed=42, **request_fields), SoundFormat("pcm_s16le", 24000)
    context = Context("a", 3, request, sound, 24000, marks, OPENED_S, (ring or Ring()).spans_of("u_3"), text=text)
    at = 0
    for word in text.split(" "):
        if word.isalpha():
            context.marks.add([words(word, at)])
        at += len(word) + 1
    return context


def done_of(messages: list[wire.ServerMessage]) -> wire.Done:
    (message,) = [m for m in messages if isinstance(m, wire.Done)]
    return message


def test_started_tells_what_was_drawn_and_what_speaks() -> None:
    """The stream and seed are the context's, the voice and its need of text the engine's."""
    assert new_context().started(engine.Started("u_3", "英文女", 5)) == [
        wire.Started("a", "u_3", 3, "英文女", "pcm_s16le", 24000, 5, 42)
    ]


def test_marks_stand_before_the_frames_they_speak_of() -> None:
    """Words that begin in a piece of sound come first, then its frames, contiguous over pieces."""
    context = new_context("ab cd")
    assert context.audio(audio(100, 2.0), 11.0) == [
        wire.Mark("a", "ab", 0, 0, 100, True),
        wire.Audio("a", 0, 0, MS * 40, 3),
        wire.Audio("a", 1, 40, MS * 60, 3),
    ]
    assert context.audio(audio(50, 4.0), 12.0) == [
        wire.Mark("a", "cd", 3, 100, 150, True),
        wire.Audio("a", 2, 100, MS * 50, 3),
    ]


def test_marks_are_not_shown_to_those_who_want_none() -> None:
    """They are reckoned all the same: `cancelled` tells what was heard."""
    context = new_context("ab cd", marks=False)
    assert context.audio(audio(40, 4.0), 11.0) == [wire.Audio("a", 0, 0, MS * 40, 3)]
    context.playback.sent(0.04, 11.0)
    assert context.cancelled(12.0).text_heard == "ab cd"
    assert [type(m) for m in context.done(done())] == [wire.Done]


@pytest.mark.parametrize("text", ["\N{GRINNING FACE}", " ", "..."])
def test_a_text_that_speaks_to_nothing_gives_a_short_silence(text: str) -> None:
    """100 ms of it in frames, then done: agents take no sound at all for a failure."""
    *frames, end = new_context(text).done(done())
    assert frames == [wire.Audio("a", 0, 0, MS * 40, 3), wire.Audio("a", 1, 40, MS * 60, 3)]
    assert isinstance(end, wire.Done) and end.audio_ms == 100
    assert end.usage["characters"] == len(text)


def test_no_text_at_all_gives_no_sound() -> None:
    """An end without text is done with 0 ms."""
    (end,) = new_context().done(done())
    assert isinstance(end, wire.Done) and end.audio_ms == 0


def test_text_that_sounded_gets_no_silence() -> None:
    """However short the sound was."""
    context = new_context("ab")
    context.audio(audio(1, 2.0), 11.0)
    (end,) = context.done(done())
    assert isinstance(end, wire.Done) and end.audio_ms == 1


def test_words_that_never_began_are_marked_before_done() -> None:
    """Every word has its mark by the end."""
    context = new_context("ab cd")
    context.audio(audio(40, 2.0), 11.0)
    mark, end = context.done(done())
    assert mark == wire.Mark("a", "cd", 3, 40, 40, True)
    assert isinstance(end, wire.Done) and end.audio_ms == 40


def test_done_counts_what_was_used() -> None:
    """Characters of the text, ids and tokens of the engine."""
    context = new_context("ab cd")
    event = engine.Done("u_3", 4, [1, 2, 3], 1, False, {})
    assert done_of(context.done(event)).usage == {"characters": 5, "text_ids": 4, "speech_tokens": 3}


def test_done_tells_where_the_time_went() -> None:
    """The engine's seconds in milliseconds, rounded; from the start it is counted here, to the first sound."""
    context = new_context("ab")
    context.audio(audio(10), OPENED_S + 0.25)
    context.audio(audio(10), OPENED_S + 9.0)
    event = done(
        text_wait=0.01234,
        queue=0.002,
        talker=1.5,
        flow=0.25,
        vocoder=0.125,
        ttfa=0.2,
        text_starved=0.7504,
        audio=9.0,
        wall=9.0,
        underrun=3.0,
    )
    end = done_of(context.done(event))
    assert end.timings == {
        "text_wait": 12.3,
        "queue": 2.0,
        "talker": 1500.0,
        "flow": 250.0,
        "vocoder": 125.0,
        "encode": 0.0,
        "ttfa_from_text": 200.0,
        "ttfa_from_start": 250.0,
    }
    assert end.text_starved_ms == 750


def test_done_without_sound_has_no_time_to_the_first() -> None:
    """What was not measured is left out; what an engine does not count is 0."""
    end = done_of(new_context().done(done()))
    assert end.timings == dict.fromkeys(["text_wait", "queue", "talker", "flow", "vocoder", "encode"], 0.0)
    assert end.text_starved_ms == 0


def test_cancelled_before_any_sound_has_nothing_sent() -> None:
    """Sound that was made and not sent does not count."""
    context = new_context("ab cd")
    context.audio(audio(400, 4.0), 11.0)
    assert context.cancelled(12.0) == wire.Cancelled("a", 0, 0, "estimated", "", "")


def test_cancelled_tells_the_text_that_was_sent_and_heard() -> None:
    """Each ends with the last word that begins in what was sent, or heard by now."""
    context = new_context("ab cd ef gh")
    context.audio(audio(800, 8.0), 11.0)
    context.playback.sent(0.6, 11.0)
    assert context.cancelled(11.3) == wire.Cancelled("a", 600, 300, "estimated", "ab cd ef", "ab cd")
    assert context.cancelled(99.0) == wire.Cancelled("a", 600, 600, "estimated", "ab cd ef", "ab cd ef")


def test_cancelled_believes_the_listener() -> None:
    """Once it has reported, what it heard counts from its own word."""
    context = new_context("ab cd ef gh")
    context.audio(audio(800, 8.0), 11.0)
    context.playback.sent(0.8, 11.0)
    context.playback.report(0.1, 11.5)
    assert context.cancelled(11.55) == wire.Cancelled("a", 800, 150, "reported", "ab cd ef gh", "ab")


# -- what is noted ----------------------------------------------------------------------------------------------------


def test_sound_is_noted_when_it_comes_and_when_it_goes() -> None:
    """How far the audio is with each, so that a piece is found again."""
    ring = Ring(clock=lambda: 0.0)
    context = new_context(ring=ring)
    context.audio(audio(100), 11.0)
    context.sent(0.1, 11.2)
    context.audio(audio(50), 11.25)
    context.sent(0.05, 11.25)
    noted = [(span.stage, span.start_s, round(span.reached, 6)) for span in ring.traced("front", "u_3").spans]
    assert noted == [("sound", 11.0, 0.1), ("sent", 11.2, 0.1), ("sound", 11.25, 0.15), ("sent", 11.25, 0.15)]


def test_a_silence_is_told_when_it_is_over() -> None:
    """From when all was heard to the next sound, and since when the listener had played; each time anew."""
    context = new_context()
    assert context.sent(0.5, 10.0) is None
    assert context.sent(0.5, 10.4) is None  # in time
    assert context.sent(0.5, 11.25) == Gap("u_3", 10.0, 11.0, 11.25, 1.0)
    assert context.sent(0.5, 11.5) is None
    assert context.sent(0.5, 12.5) == Gap("u_3", 11.25, 12.25, 12.5, 2.0)


def test_nobody_listens_to_batch_speech() -> None:
    """It has no silence."""
    context = new_context(service_class="batch")
    context.sent(0.5, 10.0)
    assert context.sent(0.5, 20.0) is None and context.playback.gap_s == pytest.approx(9.5)
