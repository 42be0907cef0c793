"""The last frame of a context that is cancelled with a fade."""

from __future__ import annotations

from array import array
from dataclasses import replace

import pytest

from rtserver.messages import wire
from rtserver.session.effects import Discard, Send, Stop
from rtserver.session.fade import MOST_FADE_MS, Fade, faded
from tests.rtserver.session.sessions import audio, new_session

RATE_HZ = 24000


def pcm(*samples: int) -> bytes:
    return array("h", samples).tobytes()


def test_sound_falls_evenly_to_silence() -> None:
    """The first sample is whole, the last one zero; sound that is shorter than the fade falls sooner."""
    assert faded(pcm(100, 100, 100, 100, 100, 7, 7), 5) == pcm(100, 75, 50, 25, 0)
    assert faded(pcm(-32768, 32767, 9), 5) == pcm(-32768, 16383, 0)
    assert faded(pcm(9), 5) == pcm(0)


def test_the_frame_that_waits_is_faded() -> None:
    """It has the place that it had; without one the last sample is held."""
    held = wire.Audio("a", 4, 600, pcm(8, 8, 8), 1)
    fade = Fade(3, held)
    waiting = wire.Audio("a", 2, 240, pcm(6, 6, 6, 6), 1)
    assert fade.frame(waiting) == wire.Audio("a", 2, 240, pcm(6, 3, 0), 1)
    assert fade.frame(None) == wire.Audio("a", 4, 600, pcm(8, 4, 0), 1)


def test_a_cancel_with_a_fade() -> None:
    """What waits is dropped, and the fade is told with it. It continues after the sound so far."""
    session = new_session()
    session.receive(wire.Start("a"), 0.0)
    session.receive(wire.Text("hello", "a"), 0.0)
    session.engine_event(1, replace(audio(100), pcm=pcm(*[50] * (RATE_HZ // 10))), 0.1)
    discard, stop, cancelled = session.receive(wire.Cancel("a", fade_ms=5), 0.2)
    held = wire.Audio("a", 2, 100, pcm(*[50] * 120), 1)
    assert (discard, stop) == (Discard(1, Fade(120, held)), Stop(1))
    assert isinstance(cancelled, Send) and isinstance(cancelled.message, wire.Cancelled)


def test_nothing_to_fade() -> None:
    """Without sound, and without a wish for it, no frame is added."""
    session = new_session()
    session.receive(wire.Start("a"), 0.0)
    assert session.receive(wire.Cancel("a", fade_ms=5), 0.2)[0] == Discard(1)


@pytest.mark.parametrize("fade_ms", [-1, MOST_FADE_MS + 1])
def test_a_fade_of_a_wrong_length(fade_ms: int) -> None:
    """It is an error that names the bounds. The speech stops all the same, without a fade."""
    session = new_session()
    session.receive(wire.Start("a"), 0.0)
    error, *stopped = session.receive(wire.Cancel("a", fade_ms), 0.2)
    assert isinstance(error, Send) and isinstance(error.message, wire.Error)
    assert error.message.code == "bad_message" and f"expected 0 to 100, found {fade_ms}" in error.message.message
    assert stopped[:2] == [Discard(1), Stop(1)] and len(session.contexts) == 0
