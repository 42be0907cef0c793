"""The server's errors in pipecat's categories."""

from __future__ import annotations

from pipecat.utils.errors import ErrorCategory

from rtclient import ClientError, ConnectionLost, ServerError

# AUTHENTICATION and INVALID_REQUEST make pipecat give up the service. A text that the server refuses is neither: the
# next one may be good.
_CATEGORIES = {
    "unauthorized": ErrorCategory.AUTHENTICATION,
    "unknown_voice": ErrorCategory.INVALID_REQUEST,
    "unknown_mode": ErrorCategory.INVALID_REQUEST,
    "unsupported_format": ErrorCategory.INVALID_REQUEST,
    "bad_audio": ErrorCategory.INVALID_REQUEST,
    "overloaded": ErrorCategory.RATE_LIMIT,
    "rate_limited": ErrorCategory.RATE_LIMIT,
    "too_many_contexts": ErrorCategory.RATE_LIMIT,
    "engine_lost": ErrorCategory.SERVER,
    "shutting_down": ErrorCategory.SERVER,
    "internal": ErrorCategory.SERVER,
}


def category_of(error: ClientError) -> ErrorCategory:
    """Why it failed, in pipecat's terms."""
    if isinstance(error, ConnectionLost):
        return ErrorCategory.CONNECTIVITY
    if isinstance(error, ServerError):
        return _CATEGORIES.get(error.code, ErrorCategory.APPLICATION)
    return ErrorCategory.UNKNOWN
