"""The wire's code for what went wrong in an engine process."""

from __future__ import annotations

from cosyvoice.errors import CacheFull, TextError, VoiceError
from cosyvoice.voice.modes import ModeError, ModeInputError
from cosyvoice.voice.recording import RecordingError

# The first kind that fits. All but the first of them are what a caller did wrong.
_CODES: tuple[tuple[type[Exception], str], ...] = (
    (CacheFull, "overloaded"),
    (ModeError, "unknown_mode"),
    (ModeInputError, "bad_message"),
    (RecordingError, "bad_audio"),
    (VoiceError, "unknown_voice"),
    (TextError, "bad_message"),
    (ValueError, "bad_message"),
)


def code_of(error: Exception) -> str:
    """`internal` for an error of our own."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), "internal")
