"""One planned turn over the native wire: its text is written as planned, its sound is listened to and counted."""

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

CONTINUOUS_S = 0.1  # a deficit below it is inaudible with the smallest of jitter buffers
REFUSED = "overloaded"

Outcome = Literal["done", "cancelled", "refused", "failed", "cut"]
OnAudio = Callable[[float, float], None]  # seconds of sound, and when


@dataclass
class Heard:
    """What became of a turn; times are seconds, None where there was nothing to time.

    begun_s: since the load began. outcome: spoken to its end, interrupted by its listener, refused by the server,
    failed otherwise, or cut because the load was over. answer_s: until a refusal or failure. ttfa_s, ttfa_request_s:
    first frame after the first text and after `start`; of a turn that was cut before, how long it had waited.
    underrun_s: silence between sounds without that for want of text, which is starved_s (the server tells it of turns
    that are done). cancel_s: from `cancel` to `cancelled`; wasted_s: sound sent and not heard by then. unheard_s: the
    same when the interruption came after `done`. timings: milliseconds, the server's.
    """

    call: int
    turn: int
    language: str
    voice: str
    expected_s: float
    begun_s: float = 0.0
    connect_s: float | None = None
    outcome: Outcome = "cut"
    error: str | None = None
    answer_s: float | None = None
    ttfa_s: float | None = None
    ttfa_request_s: float | None = None
    audio_s: float = 0.0
    underruns: int = 0
    underrun_s: float = 0.0
    starved_s: float = 0.0
    deficit_s: float = 0.0
    realtime_factor: float | None = None
    cancel_s: float | None = None
    wasted_s: float | None = None
    unheard_s: float | None = None
    timings: dict[str, float] = field(default_factory=dict)
    lost: bool = False  # the connection is gone

    @property
    def accepted(self) -> bool:
        return self.outcome != "refused"

    @property
    def continuous(self) -> bool:
        """Whether a listener that starts with the first frame heard no gap that is the server's fault."""
        return self.outcome != "failed" and self.audio_s > 0 and self.deficit_s - self.starved_s < CONTINUOUS_S

    def row(self) -> dict[str, Any]:
        """As plain values, short."""
        rounded = {k: round(v, 4) if isinstance(v, float) else v for k, v in vars(self).items() if v is not None}
        return {k: v for k, v in rounded.items() if v is not False and v != {}}


class Writer:
    """Writes a turn's text on its schedule, which does not drift."""

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
    """Cancels a speech when its time has come. cancel_s: how long the answer took."""

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
        """The speech is over: waits for what was begun."""
        if not self._sent:
            self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def speak_turn(session: Session, call: Call, turn: PlannedTurn, heard: Heard, on_audio: OnAudio) -> float:
    """Speaks a turn and fills `heard`, also when it is cut (cancelled as a task). Returns when its listener has heard
    all it wants, by the monotonic clock. Raises nothing of the client's."""
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
