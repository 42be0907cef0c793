"""What a client is told of an error: its code, and whether and when to try again."""

from __future__ import annotations

from rtserver.messages import wire

RETRY_AFTER_MS = 2000
_CONTEXT_CHARS = 200
# Errors that are not the client's fault: the same request may succeed.
_RETRYABLE = frozenset({"overloaded", "engine_lost", "shutting_down", "internal"})
_LATER = frozenset({"overloaded", "engine_lost"})


def known_code(code: str) -> wire.Code:
    """A code of the wire; what inner parts call otherwise is a fault of the server's."""
    return code if code in wire.CODES else "internal"  # type: ignore[return-value]


def error_message(
    code: str, text: str, context: str | None = None, retry_after_s: float | None = None, id: str | None = None
) -> wire.Error:
    """retry_after_s: when the same may succeed, if it is known. id: the utterance's, or one for this error alone."""
    known = known_code(code)
    retry_after_ms = RETRY_AFTER_MS if known in _LATER else None
    if retry_after_s is not None:
        retry_after_ms = round(retry_after_s * 1000)
    named = None if context is None else context[:_CONTEXT_CHARS]
    return wire.Error(known, text, known in _RETRYABLE, named, retry_after_ms, id)
