"""Speaks one planned turn over the native wire: writes its text as planned, listens to its sound, and counts it."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from bench.load.calls.listening import Listener
from bench.load.calls.plan import Call, PlannedTurn
from rtclient import ClientError, ConnectionLost, ServerError, Session, Speech

CONTINUOUS_S = 0.1  # the smallest jitter buffers hide a deficit below this
REFUSED = "overloaded"

Outcome = Literal["done", "cancelled", "refused", "failed", "cut"]
OnAudio = Callable[[float, float], None]  # seconds of sound, and the time at which they came


@dataclass
class Heard:
    """What happened to a turn. Times are in seconds; None if there was nothing to time."""

    call: int
    turn: int
    language: str
    voice: str
    expected_s: float
    # Since the load began.
    begun_s: float = 0.0
    connect_s: float | None = None
    # done: spoken to its end. cancelled: interrupted by its listener. refused: by the server. failed: with another
    # error. cut: the load was over.
    outcome: Outcome = "cut"
    error: str | None = None
    # Until a refusal or a failure.
    answer_s: float | None = None
    # From the first text to the first frame. Of a turn that was cut before: how long it had waited.
    ttfa_s: float | None = None
    # The same from `start` on.
    ttfa_request_s: float | None = None
    audio_s: float = 0.0
    underruns: int = 0
    # Silence between sounds, without the silence for missing text.
    underrun_s: float = 0.0
    # Silence for missing text. The server reports it with `done` only.
    starved_s: float = 0.0
    # How late the latest frame was for a listener that never waits.
    deficit_s: float = 0.0
    realtime_factor: float | None = None
    # From `cancel` to `cancelled`.
    cancel_s: float | None = None
    # Sound that was sent but not heard when `cancelled` came.
    wasted_s: float | None = None
    # The same for an interruption that came after `done`.
    unheard_s: float | None = None
    # The server's, in milliseconds.
    timings: dict[str, float] = field(default_factory=dict)
    # Whether the connection is lost.
    lost: bool = False

    @property
    def accepted(self) -> bool:
        return self.outcome != "refused"

    @property
    def continuous(self) -> bool:
        """Whether a listener that starts with the first frame heard no gap that the server caused."""
        return self.outcome != "failed" and self.audio_s > 0 and self.deficit_s - self.starved_s < CONTINUOUS_S

    def row(self) -> dict[str, Any]:
        """As plain values, short."""
        rounded = {k: round(v, 4) if isinstance(v, float) else v for k, v in vars(self).items() if v is not None}
        return {k: v for k, v in rounded.items() if v is not False and v != {}}


class Writer:
    """Writes the text of a turn on its schedule, which does not drift."""

    def __init__(self, turn: PlannedTurn) -> None:
        self._turn = turn
        self.first_text_s: float | None = None

    async def write(self) -> AsyncIterator[str]:
        start_s = time.monotonic()
        for at_s, piece in self._turn.pieces:
            if (wait_s := start_s + at_s - time.monotonic()) > 0:
                await asyncio.sleep(wait_s)
            if self.first_text_s is None:
                self.first_text_s = time.monotonic()
            yield piece


class Interruption:
    """Cancels a speech after a time. cancel_s: how long the answer took."""

    def __init__(self, speech: Speech, after_s: float) -> None:
        self._speech = speech
        self.at_s = time.monotonic() + after_s
        self.cancel_s: float | None = None
        self._sent = False
        self._task = asyncio.create_task(self._cancel(after_s))

    async def _cancel(self, after_s: float) -> None:
        await asyncio.sleep(after_s)
        self._sent, sent_s = True, time.monotonic()
        with contextlib.suppress(ClientError):
            if await self._speech.cancel() is not None:
                self.cancel_s = time.monotonic() - sent_s

    async def close(self) -> None:
        """The speech is over: waits for a cancel that has begun."""
        if not self._sent:
            self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def speak_turn(session: Session, call: Call, turn: PlannedTurn, heard: Heard, on_audio: OnAudio) -> float:
    """Speaks a turn and fills `heard`, also if the task is cancelled. Returns the time (of the monotonic clock) at
    which the listener has heard all that it wants. It raises no error of the client."""
    listener, writer = Listener(), Writer(turn)
    request_s = time.monotonic()
    speech = session.speak(writer.write(), voice=call.voice, language=call.language, seed=turn.seed, marks=False)
    interruption: Interruption | None = None
    try:
        async with speech:
            async for audio in speech:
                now_s, seconds = time.monotonic(), len(audio.pcm) / 2 / session.info.sample_rate
                listener.frame(seconds, now_s)
                on_audio(seconds, now_s)
                if interruption is None and turn.barge_in is not None:
                    interruption = Interruption(speech, turn.wanted_s)
        heard.outcome = "done" if speech.cancelled is None else "cancelled"
    except ClientError as error:
        refused = isinstance(error, ServerError) and error.code == REFUSED and not listener.audio_s
        heard.outcome = "refused" if refused else "failed"
        heard.error, heard.lost = str(error), isinstance(error, ConnectionLost)
        heard.answer_s = time.monotonic() - request_s
    finally:
        over_s = time.monotonic()
        if interruption is not None:
            await interruption.close()
        _time(heard, listener, request_s, writer.first_text_s or request_s, over_s)
        _account(heard, listener, speech, interruption)
    if heard.outcome != "done":
        return over_s
    return min(listener.playback.dry_at_s, interruption.at_s if interruption is not None else math.inf)


def _time(heard: Heard, listener: Listener, request_s: float, first_text_s: float, over_s: float) -> None:
    first_s = listener.first_s
    if heard.outcome == "cut":
        heard.deficit_s = listener.late_s(over_s)
        first_s = over_s if first_s is None else first_s
    if first_s is not None:
        heard.ttfa_s, heard.ttfa_request_s = first_s - first_text_s, first_s - request_s
    if listener.last_s is not None:
        heard.realtime_factor = (listener.last_s - request_s) / listener.audio_s


def _account(heard: Heard, listener: Listener, speech: Speech, interruption: Interruption | None) -> None:
    if speech.done is not None:
        heard.timings, heard.starved_s = speech.done.timings, speech.done.text_starved_ms / 1000
    heard.audio_s, heard.underruns = listener.audio_s, listener.underruns
    heard.underrun_s = max(0.0, listener.playback.gap_s - heard.starved_s)
    heard.deficit_s = max(heard.deficit_s, listener.deficit_s)
    if interruption is None:
        return
    heard.cancel_s = interruption.cancel_s
    if heard.outcome == "cancelled" and speech.cancelled is not None:
        heard.wasted_s = (speech.cancelled.sent_ms - speech.cancelled.heard_ms) / 1000
    elif heard.outcome == "done":
        heard.unheard_s = listener.unheard_s(interruption.at_s)
