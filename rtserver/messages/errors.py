"""Builds the error messages for clients: the code, and whether and when to try again."""

from __future__ import annotations

from rtserver.messages import wire

RETRY_AFTER_MS = 2000
_CONTEXT_CHARS = 200
# Errors that the client did not cause: the same request may succeed later.
_RETRYABLE = frozenset({"overloaded", "engine_lost", "shutting_down", "internal", "idle_timeout"})
# Of these, the errors that tell the client when to try again on the same server.
_LATER = frozenset({"overloaded", "engine_lost"})


def known_code(code: str) -> wire.Code:
    """The code, if the wire has it; else `internal`, since an unknown code is a fault of the server."""
    return code if code in wire.CODES else "internal"  # type: ignore[return-value]


def error_message(
    code: str, text: str, context: str | None = None, retry_after_s: float | None = None, id: str | None = None
) -> wire.Error:
    """retry_after_s: when the same request may succeed, if known. id: of the utterance, or of this error alone."""
    known = known_code(code)
    retry_after_ms = RETRY_AFTER_MS if known in _LATER else None
    if retry_after_s is not None:
        retry_after_ms = round(retry_after_s * 1000)
    # It may be a name that no context can have: half a surrogate pair could not be sent back.
    named = None if context is None else context[:_CONTEXT_CHARS].encode(errors="replace").decode()
    return wire.Error(known, text, known in _RETRYABLE, named, retry_after_ms, id)
