"""One utterance between session and engine: its text goes through the reader, its segments into the engine.

It asks for a place before it opens anything, holds what it needs in its caller's account, and tells the metrics what
becomes of it.
"""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from rtserver.engine.api import EngineError, EngineUtterance, Event
from rtserver.front.account import Account, Exceeded
from rtserver.front.backend import Backend, OpenedText
from rtserver.front.place import Later, UtterancePlace
from rtserver.front.writing_pace import WritingPace
from rtserver.ipc.engine import Audio, Done, Failed, Flushed, Hungry, Rested, Started, Writing
from rtserver.ipc.reading import NotAsWritten, OpenText, Read, Segment
from rtserver.messages.errors import known_code
from rtserver.messages.incidents import client_text, report
from rtserver.metrics.metrics import Outcome
from rtserver.schedule.waits import Asked
from rtserver.session.effects import OpenUtterance

UtteranceEvent = Started | Audio | Flushed | Done | Failed
OnSegments = Callable[[Sequence[Segment]], None]
OnUnspoken = Callable[[Sequence[NotAsWritten]], None]

_LOG = logging.getLogger(__name__)

_BYTES_PER_SAMPLE = 2
_LOGGED_OFFSETS = 20

# This long after its first text, the text of a slow writer is given out in short stretches.
_SLOW_S = 0.5


class NotOpened(Exception):
    """An utterance cannot be opened; `failed` is what its session is told."""

    def __init__(self, failed: Failed) -> None:
        super().__init__(failed.message)
        self.failed = failed


class _Nobody:
    """Stands for engine and reader where no utterance is open. It ignores all."""

    def feed(self, segments: Sequence[Segment], writing: Writing | None = None) -> None: ...
    def flush(self, flush_id: str = "") -> None: ...
    def end(self) -> None: ...
    def cancel(self) -> None: ...
    def heard(self, position_s: float) -> None: ...
    def hold(self, on: bool) -> None: ...
    def write(self, text: str) -> None: ...
    def commit(self) -> None: ...
    def offer(self) -> None: ...
    def drop(self) -> None: ...


_NOBODY = _Nobody()


class FrontUtterance:
    """Opens an utterance at engine and reader and keeps both in step. Raises NotOpened when there is no place for it,
    or no engine."""

    def __init__(
        self,
        opening: OpenUtterance,
        backend: Backend,
        account: Account,
        on_event: Callable[[UtteranceEvent], None],
        on_segments: OnSegments,
        on_unspoken: OnUnspoken,
        on_unreadable: Callable[[Failed], None],
        clock: Callable[[], float],
        later: Later,
    ) -> None:
        self._request = opening.request
        self._backend = backend
        self._on_event = on_event
        self._on_segments = on_segments
        self._on_unspoken = on_unspoken
        self._on_unreadable = on_unreadable
        self._clock = clock
        self._later = later
        self._utterance: EngineUtterance = _NOBODY
        self._text: OpenedText = _NOBODY
        self._spans = backend.tracer.ring.spans_of(opening.request.utterance)
        # What to do when the reader answers each of the boundaries that were set.
        self._boundaries: deque[Callable[[], None]] = deque()
        self._answered = 0
        self._opened_s = clock()
        self._pace = WritingPace()
        self._asked = Asked.NOTHING
        self._fed = False
        self._reading_s: float | None = None  # from the first text to the first of its segments
        self._started = False
        self._sounds = False
        self._over = False
        self._holdings = contextlib.ExitStack()  # what its caller's account holds for it
        self._characters = 0
        self._text_ids = 0
        self._speech_tokens = 0
        # Characters that are left out, and the places of the first ones.
        self._unspoken = 0
        self._unspoken_offsets: list[int] = []
        self._pcm_bytes = 0
        self._open(opening, account)

    def _open(self, opening: OpenUtterance, account: Account) -> None:
        request, backend = self._request, self._backend
        name = request.utterance
        try:
            self._take_holdings(account)
        except Exceeded as exceeded:
            self._holdings.close()
            backend.metrics.refused("overloaded")
            retry_after_s = (exceeded.error.retry_after_ms or 0) / 1000
            raise NotOpened(Failed(name, "overloaded", str(exceeded), retry_after_s)) from exceeded
        refusal = backend.admission.admit(
            name, request.tenant, request.service_class, self._opened_s, request.reservation
        )
        if refusal is not None:
            self._holdings.close()
            backend.metrics.refused("overloaded")
            raise NotOpened(Failed(name, "overloaded", refusal.text, refusal.retry_after_s))
        try:
            self._utterance = backend.engine.open(request, self._event)
        except EngineError as error:
            self._leave()
            backend.metrics.refused("engine_lost")
            raise NotOpened(Failed(name, "engine_lost", str(error))) from error
        except BaseException:
            self._leave()
            raise
        backend.metrics.opened(request.service_class)
        try:
            text = OpenText(
                name,
                opening.language,
                opening.words,
                markup=opening.markup,
                voice=request.voice,
                lexicon=opening.lexicon,
            )
            self._text = backend.reader.open(text, self._read)
        except EngineError as error:
            self._close("cancelled")
            raise NotOpened(Failed(name, "engine_lost", str(error))) from error

    def _take_holdings(self, account: Account) -> None:
        """Notes in the caller's account what the utterance needs. Raises Exceeded."""
        request, held = self._request, self._holdings
        held.enter_context(account.hold("contexts"))
        place = held.enter_context(account.hold("batch" if request.service_class == "batch" else "places"))
        self._place = UtterancePlace(
            request, self._backend.admission, place, self._lost_place, self._clock, self._later
        )
        held.callback(self._place.close)
        recordings = [r for r in (request.prompt_audio, request.source_audio) if r is not None]
        held.enter_context(account.hold("recording_bytes", sum(len(recording.pcm) for recording in recordings)))
        self._preparation_holding = held.enter_context(account.hold("preparations", min(1, len(recordings))))
        self._text_holding = held.enter_context(account.hold("text_chars", 0))

    # -- from the session -------------------------------------------------------------------------------------------

    def say(self, text: str) -> None:
        try:
            self._text_holding.resize(self._text_holding.amount + len(text))
        except Exceeded as exceeded:
            self._give_up(Failed(self._request.utterance, "overloaded", str(exceeded)))
            return
        self._characters += len(text)
        self._note_text()
        self._pace.note(len(text), self._clock())
        self._place.say(lambda: self._write(text))

    def _write(self, text: str) -> None:
        self._text.write(text)
        is_slow = not self._fed and self._request.streaming and self._pace.age_s(self._clock()) >= _SLOW_S
        self._ask(max(self._asked, Asked.STRETCH) if is_slow else self._asked)

    def _ask(self, asked: Asked) -> None:
        """Asks the reader for text that it holds back."""
        if asked is Asked.NOTHING:
            return
        self._boundaries.append(lambda: None)
        if asked is Asked.WORD:
            self._text.commit()
        else:
            self._text.offer()

    def flush(self, flush_id: str) -> None:
        self._note_text()
        self._place.say(lambda: self._flush(flush_id))

    def _flush(self, flush_id: str) -> None:
        self._boundaries.append(lambda: self._utterance.flush(flush_id))
        self._text.flush()

    def end(self) -> None:
        self._note_text()
        self._place.say(self._end)

    def _end(self) -> None:
        self._boundaries.append(self._utterance.end)
        self._text.end()

    def _lost_place(self, failed: Failed) -> None:
        """There is no place to go on."""
        self._backend.metrics.refused(failed.code)
        self._give_up(failed)

    def _give_up(self, failed: Failed) -> None:
        self._close("failed")
        self._on_event(failed)

    def _note_text(self) -> None:
        now_s = self._clock()
        self._spans.append(("text", now_s, now_s, now_s, 0.0, self._characters))

    def heard(self, position_s: float) -> None:
        self._utterance.heard(position_s)

    def hold(self, on: bool) -> None:
        self._place.hold(on, self._utterance.hold)

    def stop(self) -> None:
        """Ends the work at both. Nothing is called back afterwards."""
        self._close("cancelled")

    # -- from the engine --------------------------------------------------------------------------------------------

    def _event(self, event: Event) -> None:
        match event:
            case Audio():  # most events
                self._pcm_bytes += len(event.pcm)
                self._speech_tokens = event.tokens
                if not self._sounds:
                    self._first_sound()
                self._on_event(event)
            case Started():
                self._started = True
                self._preparation_holding.release()
                self._on_event(event)
            case Rested():
                self._place.rest()
            case Hungry(_, urgent):
                self._asked = Asked.WORD if urgent else Asked.STRETCH
                self._ask(self._asked)
            case Flushed():
                self._on_event(event)
            case Done():
                seconds = self._from_first_text(event.seconds)
                self._speech_tokens = len(event.speech_tokens)
                self._close("done")
                self._backend.metrics.done(self._request.service_class, seconds)
                self._on_event(replace(event, seconds=seconds))
            case Failed():
                if self._started:
                    self._close("failed")
                elif self._leave():  # the engine did not take it
                    self._backend.metrics.turned_away(self._request.service_class, event.code)
                self._on_event(_for_client(event))

    def _first_sound(self) -> None:
        self._sounds = True
        self._backend.admission.begun(self._request.utterance)
        self._place.begun()
        first_text_s = self._pace.first_text_s
        since_s = self._opened_s if first_text_s is None else first_text_s
        self._backend.metrics.sounded(self._request.service_class, self._clock() - since_s)

    def _from_first_text(self, seconds: dict[str, float]) -> dict[str, float]:
        """The engine counts from the first segment it got; a listener counts from the first text."""
        since_text = {k: seconds[k] + (self._reading_s or 0.0) for k in ("wall", "text_wait", "ttfa") if k in seconds}
        return seconds | since_text

    # -- from the reader --------------------------------------------------------------------------------------------

    def _read(self, read: Read | Failed) -> None:
        if isinstance(read, Failed):
            self._close("failed")
            self._on_unreadable(_for_client(read))
            return
        if read.unspoken:
            left_out = [place for place in read.unspoken if not place.reason]
            self._unspoken += sum(len(place.text) for place in left_out)
            room = _LOGGED_OFFSETS - len(self._unspoken_offsets)
            self._unspoken_offsets += [place.offset for place in left_out[:room]]
            self._on_unspoken(read.unspoken)
        if read.segments:
            now_s = self._clock()
            if self._reading_s is None:
                self._reading_s = self._pace.age_s(now_s)
            self._text_ids += sum(len(segment.ids) for segment in read.segments)
            self._on_segments(read.segments)
            self._spans.append(("text_relay", now_s, now_s, now_s, 0.0, 0.0))
            self._place.fed()
            self._asked, self._fed = Asked.NOTHING, True
            self._utterance.feed(read.segments, self._pace.writing(now_s))
        for _ in range(read.boundaries - self._answered):
            if self._over:  # the engine did not take the text
                return
            self._place.fed()
            self._boundaries.popleft()()
        self._answered = read.boundaries

    # -- the end ----------------------------------------------------------------------------------------------------

    def _close(self, outcome: Outcome) -> None:
        """The utterance is over, unless it was before."""
        if self._leave():
            if self._unspoken:
                _LOG.info(
                    "characters were left out that the model cannot speak",
                    extra={
                        "utterance": self._request.utterance,
                        "characters": self._unspoken,
                        "offsets": self._unspoken_offsets,
                    },
                )
            self._backend.metrics.over(
                self._request.service_class,
                outcome,
                audio_s=self._pcm_bytes / (_BYTES_PER_SAMPLE * self._backend.engine.info.sample_rate),
                text_ids=self._text_ids,
                speech_tokens=self._speech_tokens,
            )

    def _leave(self) -> bool:
        """Ends the work at engine and reader, and gives the place back. False when this was done before.

        Engine and reader hold this object to call it back, so it lets go of them: what refers to itself is freed only
        when the garbage collector comes, which can be thousands of utterances later.
        """
        if self._over:
            return False
        self._over = True
        self._text.drop()
        self._utterance.cancel()
        self._text, self._utterance = _NOBODY, _NOBODY
        self._boundaries.clear()
        self._holdings.close()
        self._backend.admission.over(self._request.utterance, self._clock())
        return True


def _for_client(failed: Failed) -> Failed:
    """A fault of the server's own goes to the log. Its text may tell what is no business of the client's."""
    if known_code(failed.code) != "internal":
        return failed
    incident = report(_LOG, failed.message, {"utterance": failed.utterance})
    return replace(failed, message=client_text(incident))
