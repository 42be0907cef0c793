"""What the server answers over HTTP whatever the dialect, as the API's document describes it."""

from __future__ import annotations

from typing import Literal

import msgspec


class Health(msgspec.Struct):
    """The state of the server."""

    # ok: an utterance that comes now can be spoken. recovering: a process that died is started again.
    status: Literal["starting", "ok", "recovering", "draining"]
    # Whether the status is ok.
    ready: bool
    # Whether the engine speaks on a GPU; false until it has started.
    gpu: bool
    model: str
    server: str
    # Sockets and requests that have a session, and the contexts that are open in them.
    connections: int
    contexts: int
    # How late the event loop was at worst, in the last minute.
    loop_lag_ms: float
    # The GPU's name, or cpu. This and the rest are null until the engine has started.
    device: str | None = None
    voices: int | None = None
    # Utterances that are open at the engine.
    utterances: int | None = None


class OpenUtterance(msgspec.Struct):
    """One that is being spoken, or waits for text. Times are in seconds."""

    id: str
    # The name that the caller's key stands for; empty on a server without keys.
    caller: str
    # Where a caller without a key is.
    address: str
    # As the caller named it.
    voice: str
    mode: str
    service_class: Literal["realtime", "batch"] = msgspec.field(name="class")
    # Whether more text may come.
    takes_text: bool
    open_s: float
    # From the opening to the first sound of the engine; null before that.
    first_audio_s: float | None
    text_chars: int
    # Of its sound, what was sent and what the listener has heard.
    sent_s: float
    heard_s: float


class OpenUtterances(msgspec.Struct):
    """What the server speaks now."""

    # All, while the list has the oldest only, where there are very many.
    count: int
    utterances: list[OpenUtterance]


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
