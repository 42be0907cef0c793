"""What the server answers over HTTP whatever the dialect, as the API's document describes it."""

from __future__ import annotations

from typing import Literal

import msgspec


class Health(msgspec.Struct):
    """The state of the server."""

    status: Literal["starting", "ready", "recovering", "draining"]
    ready: bool
    model: str
    server: str
    connections: int
    contexts: int
    loop_lag_ms: float
    voices: int | None = None
    utterances: int | None = None
    gpu: str | None = None


class Error(msgspec.Struct):
    """A code of the wire, or one of HTTP's own."""

    code: str
    message: str
    id: str
    retryable: bool | None = None
    retry_after_ms: int | None = None


class Failure(msgspec.Struct):
    """Why a request was not answered."""

    error: Error
