"""Does what a session decides. Each socket and each HTTP request has one. It owns the session's utterances and what
waits to be sent.

It runs on the event loop and never waits. Its owner gives messages in (`receive`) and takes out what is to be sent
(`next_item`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from functools import partial

from rtserver.front.account import Account, Exceeded
from rtserver.front.backend import Backend
from rtserver.front.utterance import FrontUtterance, NotOpened, UtteranceEvent
from rtserver.ipc import engine as engine_messages
from rtserver.messages import wire
from rtserver.session.effects import (
    AppendText,
    Discard,
    Effect,
    EndText,
    FlushText,
    HangUp,
    OpenUtterance,
    RefuseStart,
    ReportPlayback,
    Send,
    Stop,
)
from rtserver.session.outbox import Closing, Item, Outbox, WsFrame
from rtserver.session.session import Session
from rtserver.session.start_request import NO_RECORDINGS, Recordings

_LOG = logging.getLogger(__name__)

# Unsent bytes at which the work of a socket stops, and at which it goes on. Five seconds of 24 kHz PCM are 240 KB.
HOLD_ABOVE_BYTES = 512 << 10
RELEASE_BELOW_BYTES = 128 << 10
# How exactly what waits is counted in the caller's account: each count costs as much as a frame.
_OUTPUT_STEP_BYTES = 64 << 10

# Sending something takes less where the client reads.
_WAITED_S = 0.02

_OVER = (engine_messages.Done, engine_messages.Failed)


class Connection:
    """A session with its utterances and its outbox. `available` tells whether new utterances can be spoken, and
    whether the server drains.

    What waits to be sent is taken with `next_item`. There is a faster way for sound: see `offer_sound`.
    """

    def __init__(
        self,
        session: Session,
        backend: Backend,
        account: Account,
        available: Callable[[], tuple[bool, bool]],
        clock: Callable[[], float] = time.monotonic,
        is_heard: bool = True,
    ) -> None:
        """is_heard: whether somebody listens while the sound is made, and can run dry."""
        self.session = session
        self._backend = backend
        self._account = account
        self._available = available
        self._clock = clock
        self._is_heard = is_heard
        self._utterances: dict[int, FrontUtterance] = {}
        self._outbox = Outbox()
        self._pcm_bytes_per_ms = 2 * session.info.sample_rate / 1000
        self._output_holding = account.hold("output_bytes", 0)
        self._held = False  # whether the work of the utterances is stopped
        self._take_offer: Callable[[], None] | None = None
        self._something_to_send: asyncio.Future[None] | None = None  # what next_item waits for
        self._offering: asyncio.Handle | None = None
        self._tick: asyncio.TimerHandle | None = None
        self._tick_at_s: float | None = None

    # -- in ---------------------------------------------------------------------------------------------------------

    def opened(self) -> None:
        self._apply(self.session.opened(self._clock()))

    def receive(self, message: wire.ClientMessage, recordings: Recordings = NO_RECORDINGS) -> None:
        self.session.availability(*self._available())
        self._apply(self.session.receive(message, self._clock(), recordings))

    def check(self, start: wire.Start, undecoded: Recordings) -> bool:
        """Whether a start is good, as far as is known before its recordings are decoded. A bad one is refused."""
        self.session.availability(*self._available())
        effects = self.session.receive(start, self._clock(), undecoded)
        self._apply(effects)
        return not effects

    def do(self, decide: Callable[[Session, float], Sequence[Effect]]) -> None:
        """Tells the session anything else: calls `decide(session, now_s)` and does what it returns."""
        self._apply(decide(self.session, self._clock()))

    def send(self, item: WsFrame | Closing) -> None:
        """Sends a frame that is not the session's, or closes, after what waits."""
        self._put(item)

    def close(self) -> None:
        """The socket is gone: ends all work."""
        self._apply(self.session.closed())
        for stream in list(self._utterances):
            self._utterances.pop(stream).stop()
        self._stop_tick()
        self._output_holding.release()
        if self._offering is not None:
            self._offering.cancel()
        self._take_offer = None

    # -- out --------------------------------------------------------------------------------------------------------

    def offer_sound(self, take: Callable[[], None]) -> None:
        """A faster way for sound. From now on, when something has come and `next_item` waits, `take` is called first,
        in a turn of the event loop of its own. It may take sound with `take_sound`; `next_item` gets the rest."""
        self._take_offer = take

    async def next_item(self) -> Item:
        """The next thing to send, once there is one. Sound taken here counts as sent."""
        while not len(self._outbox):
            self.session.all_sent()
            self._something_to_send = asyncio.get_running_loop().create_future()
            await self._something_to_send
        item = self._outbox.pop()
        if isinstance(item, wire.Audio):
            self._sent(item.stream, len(item.data))
        self._release()
        return item

    @property
    def next_sound(self) -> wire.Audio | None:
        """The frame that is the next to send; None when that is something else."""
        return self._outbox.next_sound

    def take_sound(self, most_bytes: int) -> list[wire.Audio]:
        """The frames of one stream that are the next to send: up to this many bytes, but at least one. They count as
        sent."""
        frames = self._outbox.pop_sound(most_bytes)
        if frames:
            self._sent(frames[0].stream, sum([len(frame.data) for frame in frames]))
            self._release()
        return frames

    def _offer(self) -> None:
        self._offering = None
        if self._something_to_send is not None and self._take_offer is not None:
            self._take_offer()
        if len(self._outbox):
            self._wake()

    def _wake(self) -> None:
        if (waiting := self._something_to_send) is not None:
            self._something_to_send = None
            if not waiting.done():  # it may have been cancelled
                waiting.set_result(None)

    def _sent(self, stream: int | None, pcm_bytes: int) -> None:
        if stream is not None:
            gap = self.session.sent(stream, pcm_bytes / self._pcm_bytes_per_ms, self._clock())
            if gap is not None and self._is_heard:
                self._backend.tracer.ran_dry(gap, self.session.caller.tenant)

    def _release(self) -> None:
        waiting_bytes = self._outbox.waiting_bytes
        if waiting_bytes + _OUTPUT_STEP_BYTES < self._output_holding.amount:
            self._output_holding.resize(waiting_bytes)
        if self._held and waiting_bytes < RELEASE_BELOW_BYTES:
            self._hold(False)

    @property
    def waiting_bytes(self) -> int:
        """Bytes that wait to be sent."""
        return self._outbox.waiting_bytes

    @property
    def waiting_answer_bytes(self) -> int:
        """Those of them that are not sound."""
        return self._outbox.answer_bytes

    def waited_for_client(self, from_s: float, to_s: float) -> None:
        """Sending took from then to then: if that was long, it waited for the client, which did not read."""
        if to_s - from_s < _WAITED_S:
            return
        for utterance in self.session.utterances:
            self._backend.tracer.ring.note(utterance, "client", from_s, from_s, to_s)

    @property
    def live(self) -> int:
        """Utterances that are open."""
        return len(self._utterances)

    # -- effects ----------------------------------------------------------------------------------------------------

    def _apply(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send(message):
                    self._put(message)
                case RefuseStart(error):
                    self._backend.metrics.refused(error.code)
                    self._put(error)
                case Discard(stream, fade):
                    waiting = self._outbox.discard(stream)
                    if fade is not None:
                        self._put(fade.frame(waiting))
                case OpenUtterance(stream):
                    self._open(stream, effect)
                case AppendText() | FlushText() | EndText() | ReportPlayback():
                    utterance = self._utterances.get(effect.stream)
                    if utterance is not None:  # None: it has just failed, and the session has been told
                        _tell(utterance, effect)
                case Stop(stream):
                    if (utterance := self._utterances.pop(stream, None)) is not None:
                        utterance.stop()
                case HangUp(close_code, reason):
                    self._put(Closing(close_code, reason))
        self._schedule_tick()

    def _put(self, item: Item) -> None:
        outbox = self._outbox
        outbox.put(item)
        if self._take_offer is None:
            self._wake()
        elif self._something_to_send is not None and self._offering is None:
            self._offering = asyncio.get_running_loop().call_soon(self._offer)
        waiting_bytes = outbox.waiting_bytes
        if waiting_bytes > self._output_holding.amount + _OUTPUT_STEP_BYTES:
            self._count_output(waiting_bytes)
        if not self._held and waiting_bytes > HOLD_ABOVE_BYTES:
            self._hold(True)

    def _count_output(self, waiting_bytes: int) -> None:
        """Counts what waits to be sent. Where the caller, or all together, have too much of it, work stops sooner."""
        try:
            self._output_holding.resize(waiting_bytes)
        except Exceeded:
            if not self._held:
                self._hold(True)

    def _hold(self, on: bool) -> None:
        """Stops the work of all utterances while too much sound waits, or lets it go on."""
        self._held = on
        for utterance in list(self._utterances.values()):  # one that finds no place to go on fails, and is removed
            utterance.hold(on)

    def _open(self, stream: int, opening: OpenUtterance) -> None:
        try:
            utterance = FrontUtterance(
                opening,
                self._backend,
                self._account,
                on_event=partial(self._engine_event, stream),
                on_segments=lambda segments: self._apply(self.session.segments(stream, segments, self._clock())),
                on_unspoken=lambda places: self._apply(self.session.unspoken(stream, places)),
                on_unreadable=lambda failed: self._unreadable(stream, failed),
                clock=self._clock,
                later=asyncio.get_running_loop().call_later,
            )
        except NotOpened as error:
            self._apply(self.session.engine_event(stream, error.failed, self._clock()))
            return
        self._utterances[stream] = utterance
        if self._held:
            utterance.hold(True)

    def _engine_event(self, stream: int, event: UtteranceEvent) -> None:
        if isinstance(event, engine_messages.Audio):  # most events, and no deadline depends on them
            for message in self.session.audio(stream, event, self._clock()):
                self._put(message)
            return
        if isinstance(event, engine_messages.Failed):
            _LOG.warning("an utterance failed", extra={"utterance": event.utterance, "code": event.code})
        if isinstance(event, _OVER):
            self._utterances.pop(stream, None)
        self._apply(self.session.engine_event(stream, event, self._clock()))

    def _unreadable(self, stream: int, failed: engine_messages.Failed) -> None:
        self._utterances.pop(stream, None)
        self._apply(self.session.reader_failed(stream, failed.code, failed.message, self._clock()))

    # -- time -------------------------------------------------------------------------------------------------------

    def _schedule_tick(self) -> None:
        now_s = self._clock()
        at_s = self.session.next_tick_s(now_s)
        armed_s = self._tick_at_s
        if at_s is None or (armed_s is not None and armed_s <= at_s):
            return  # most calls: no timer is touched; one that comes too early finds nothing to do
        self._stop_tick()
        self._tick_at_s = at_s
        self._tick = asyncio.get_running_loop().call_later(max(0.0, at_s - now_s), self._tick_now)

    def _stop_tick(self) -> None:
        if self._tick is not None:
            self._tick.cancel()
        self._tick = self._tick_at_s = None

    def _tick_now(self) -> None:
        self._tick = self._tick_at_s = None
        self._apply(self.session.tick(self._clock()))


def _tell(utterance: FrontUtterance, effect: AppendText | FlushText | EndText | ReportPlayback) -> None:
    match effect:
        case AppendText(_, text):
            utterance.say(text)
        case FlushText(_, flush_id):
            utterance.flush(flush_id)
        case EndText():
            utterance.end()
        case ReportPlayback(_, position_s):
            utterance.heard(position_s)
