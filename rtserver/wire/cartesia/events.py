"""What Cartesia's clients are told, on the socket and in server-sent events. Every message names its context."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

from rtserver.http.answers import STATUS
from rtserver.messages import wire

# The name and the title that Cartesia gives our codes. Others keep their name.
_NAMES = {
    "unauthorized": ("unauthorized", "Invalid API key"),
    "unknown_voice": ("voice_not_found", "Voice not found"),
    "overloaded": ("concurrency_limited", "Too many concurrent requests"),
    "engine_lost": ("unavailable", "Service unavailable"),
    "shutting_down": ("unavailable", "Service unavailable"),
    "internal": ("internal_error", "Internal error"),
}


def chunk(context: str | None, sound: bytes, flush_id: int) -> str:
    """A piece of the sound. flush_id: counts the flushes before it, from 1."""
    data = base64.b64encode(sound).decode()
    return _going_on("chunk", context, data=data, step_time=0.0, flush_id=flush_id)


def timestamps(context: str | None, words: Sequence[wire.Mark], flush_id: int) -> str:
    """When words are heard, in seconds of the context's sound."""
    times = {
        "words": [word.text for word in words],
        "start": [word.start_ms / 1000 for word in words],
        "end": [word.end_ms / 1000 for word in words],
    }
    return _going_on("timestamps", context, word_timestamps=times, flush_id=flush_id)


def flush_done(context: str, flush_id: int) -> str:
    """All sound of the text before a flush has been sent."""
    return _going_on("flush_done", context, flush_done=True, flush_id=flush_id)


def done(context: str | None) -> str:
    """A context is over."""
    return json.dumps({"type": "done", "done": True, "status_code": 200, "context_id": context})


def failed(error: wire.Error, context: str | None) -> str:
    """A context failed, or was not opened. `done` is false: LiveKit takes an error that is done for a good end."""
    return json.dumps({"type": "error", "done": False, "context_id": context} | explained(error))


def explained(error: wire.Error) -> dict[str, object]:
    """The fields of an error that say what went wrong."""
    name, title = _NAMES.get(error.code, (error.code, "Invalid request"))
    status = STATUS.get(error.code, 400)
    return {
        "title": title,
        "message": error.message,
        "error_code": name,
        "status_code": status,
        "request_id": error.id,
    }


def _going_on(kind: str, context: str | None, **fields: object) -> str:
    return json.dumps({"type": kind, "done": False, "status_code": 206, "context_id": context, **fields})
