"""Errors and the codes that tell a client of them."""

from __future__ import annotations

import pytest

from cosyvoice.errors import CacheFull, CheckpointError, StreamError, VoiceError
from cosyvoice.voice.modes import ModeError, ModeInputError
from cosyvoice.voice.recording import RecordingError
from rtserver.engine.error_codes import code_of


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CacheFull(), "overloaded"),
        (ModeError(), "unknown_mode"),
        (ModeInputError(), "bad_message"),
        (RecordingError(), "bad_audio"),
        (VoiceError(), "unknown_voice"),
        (ValueError(), "bad_message"),
        (StreamError(), "internal"),
        (CheckpointError(), "internal"),
        (RuntimeError(), "internal"),
    ],
)
def test_every_error_has_its_code(error: Exception, code: str) -> None:
    """What is special comes before what it is a kind of; what is our own fault is internal."""
    assert code_of(error) == code
