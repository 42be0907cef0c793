"""One session of a client: which contexts are open, what each message does, and what is answered.

Pure: messages and events come in, effects go out, and the time `now_s` is an argument. A context is open (takes text),
ended (all text has come), or over. It is over after `done`, `cancelled` or `error`: then no message about it follows,
and its name is free.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from rtserver.ipc import engine
from rtserver.ipc.reading import NotAsWritten, Segment
from rtserver.messages import wire
from rtserver.messages.codec import MessageError
from rtserver.messages.errors import error_message
from rtserver.metrics.attribution import Gap
from rtserver.metrics.trace import Ring
from rtserver.session.caller import Caller
from rtserver.session.context import Context
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
from rtserver.session.fade import wrong_fade
from rtserver.session.server_info import ServerInfo
from rtserver.session.start_request import (
    NO_RECORDINGS,
    Recordings,
    RequestError,
    check_more_text,
    check_name,
    engine_request,
    lexicon_of,
    sound_format,
)

# If a message of these types is lost, speech is missing. So the context ends with an error.
_CARRIES_TEXT = frozenset({"text", "flush", "end"})
_REMEMBERED_NAMES = 1000


class Session:
    """`new_seed` gives a seed where a `start` has none. `new_id` gives the id of each utterance, and of each error
    without an utterance. `ring` keeps the spans of all sound."""

    def __init__(
        self, info: ServerInfo, caller: Caller, new_seed: Callable[[], int], new_id: Callable[[], str], ring: Ring
    ) -> None:
        self.info = info
        self.caller = caller
        self.limits = caller.limits
        self._new_seed = new_seed
        self._new_id = new_id
        self._ring = ring
        self._contexts: dict[str, Context] = {}  # those that are not over, by name
        self._streams: dict[int, Context] = {}  # the same, by stream
        self._unsent: dict[int, Context] = {}  # contexts that are done, while their last sound may wait to be sent
        self._past: dict[str, None] = {}  # names of contexts that are over, the latest last
        self._next_stream = 1
        self._quiet_since_s = 0.0  # since when there was no message and no open context
        self._ready = True
        self._draining = False
        self._timed_out = False

    @property
    def contexts(self) -> Collection[Context]:
        """Those that are open."""
        return self._contexts.values()

    # -- from the client --------------------------------------------------------------------------------------------

    def opened(self, now_s: float) -> list[Effect]:
        """The socket is open."""
        self._quiet_since_s = now_s
        info = self.info
        return [
            Send(wire.Ready(wire.PROTOCOL, info.server, info.model, info.sample_rate, info.voices, self.limits.told()))
        ]

    def receive(
        self, message: wire.ClientMessage, now_s: float, recordings: Recordings = NO_RECORDINGS
    ) -> list[Effect]:
        """A message of the client. `recordings`: the decoded audio fields of a `start`."""
        self._quiet_since_s = now_s
        match message:
            case wire.Start():
                return self._start(message, recordings, now_s)
            case wire.Text(text, name):
                return self._text(name, text, now_s)
            case wire.Flush(name, flush_id):
                return self._flush(name, flush_id)
            case wire.End(name):
                return self._end(name)
            case wire.Cancel(name, fade_ms):
                return self._cancel(name, fade_ms, now_s)
            case wire.Played(ms, name):
                return self._played(name, ms, now_s)
            case wire.Ping(ping_id):
                return self._ping(ping_id)

    def malformed(self, error: MessageError, now_s: float) -> list[Effect]:
        """A message that cannot be read. If it should have carried text, the context that it names ends."""
        self._quiet_since_s = now_s
        kind, name = error.raw.get("type"), error.raw.get("context", wire.DEFAULT_CONTEXT)
        context = self._contexts.get(name) if isinstance(name, str) else None
        if context is not None and kind in _CARRIES_TEXT:
            return [*self._fail(context, error.code, str(error)), *self._if_drained()]
        if kind == "start":
            named = name if context is None and isinstance(name, str) else None
            return [RefuseStart(self._error(error.code, str(error), named))]
        return [Send(self._error(error.code, str(error)))]

    def unusable(self, start: wire.Start, code: str, text: str, now_s: float) -> list[Effect]:
        """A `start` whose recordings cannot be decoded."""
        self._quiet_since_s = now_s
        named = start.context if start.context not in self._contexts else None
        return [RefuseStart(self._error(code, text, named))]

    # -- from engine and reader -------------------------------------------------------------------------------------

    def engine_event(
        self,
        stream: int,
        event: engine.Started | engine.Audio | engine.Flushed | engine.Done | engine.Failed,
        now_s: float,
    ) -> list[Effect]:
        """An event of an utterance. It does nothing when the context is over."""
        context = self._streams.get(stream)
        if context is None:
            return []
        match event:
            case engine.Started():
                return [Send(m) for m in context.started(event)]
            case engine.Audio():
                return [Send(m) for m in context.audio(event, now_s)]
            case engine.Flushed(_, flush_id, _):
                return [Send(wire.Flushed(context.name, flush_id, context.framer.audio_ms))]
            case engine.Done():
                self._forget(context, now_s)
                self._unsent[stream] = context
                return [*[Send(m) for m in context.done(event)], *self._if_drained()]
            case engine.Failed(_, code, text, retry_after_s):
                return [*self._fail(context, code, text, now_s, retry_after_s), *self._if_drained()]

    def audio(self, stream: int, event: engine.Audio, now_s: float) -> list[wire.ServerMessage]:
        context = self._streams.get(stream)
        return [] if context is None else context.audio(event, now_s)

    def segments(self, stream: int, segments: Sequence[Segment], now_s: float) -> list[Effect]:
        """The reader turned text into ids."""
        if (context := self._streams.get(stream)) is not None:
            context.marks.add(segments)
        return []

    def unspoken(self, stream: int, places: Sequence[NotAsWritten]) -> list[Effect]:
        """The reader found places that are not spoken as they are written."""
        context = self._streams.get(stream)
        return [] if context is None else [Send(m) for m in context.unspoken.found(places)]

    def reader_failed(self, stream: int, code: str, message: str, now_s: float) -> list[Effect]:
        """The reader cannot read the text of a context."""
        context = self._streams.get(stream)
        return [] if context is None else [*self._fail(context, code, message, now_s), *self._if_drained()]

    def sent(self, stream: int, audio_ms: float, now_s: float) -> Gap | None:
        """Sound was handed to the network. Returns the silence that it ended, if the listener had run dry."""
        context = self._streams.get(stream) or self._unsent.get(stream)
        return None if context is None else context.sent(audio_ms / 1000, now_s)

    @property
    def utterances(self) -> list[str]:
        """The ids of utterances that are open, and of those whose last sound may wait to be sent."""
        return [context.request.utterance for context in (*self._streams.values(), *self._unsent.values())]

    def all_sent(self) -> None:
        """No sound waits to be sent any more."""
        self._unsent.clear()

    # -- from the server --------------------------------------------------------------------------------------------

    def availability(self, ready: bool, draining: bool) -> None:
        """Whether new contexts can be spoken, and whether the server drains."""
        self._ready, self._draining = ready, draining

    def shutdown(self, now_s: float, deadline: bool) -> list[Effect]:
        """The server stops. No new context begins. The socket closes when all are over; at the deadline they fail."""
        self._draining = True
        failed = self._fail_all("shutting_down", "the server stops: connect again", now_s) if deadline else []
        return [*failed, *self._if_drained()]

    def slow_reader(self, now_s: float) -> list[Effect]:
        """The client has not read for too long: its contexts fail and the socket closes."""
        return [*self._fail_all("slow_reader", "what was sent is not read", now_s), HangUp(1008, "slow_reader")]

    def rate_limited(self, now_s: float) -> list[Effect]:
        """The client goes on sending too many messages: its contexts fail and the socket closes."""
        text = "more messages came, for long, than this server reads from one socket: send fewer, in larger pieces"
        failed = self._fail_all("rate_limited", text, now_s)
        return [*failed, Send(self._error("rate_limited", text)), HangUp(1008, "rate_limited")]

    def closed(self) -> list[Effect]:
        """The socket is gone."""
        effects: list[Effect] = [Stop(stream) for stream in self._streams]
        self._contexts.clear()
        self._streams.clear()
        return effects

    def next_tick_s(self, now_s: float) -> float | None:
        """When `tick` must be called next; None for never."""
        if self._contexts:
            times_s = [c.idle_at_s(self.limits) for c in self._contexts.values()]
            return min((at_s for at_s in times_s if at_s is not None), default=None)
        if self.limits.idle_s == 0 or self._timed_out:
            return None
        return self._quiet_since_s + self.limits.idle_s

    def tick(self, now_s: float) -> list[Effect]:
        """Ends the contexts for which no text has come for too long, and closes the socket if it has been idle for too
        long."""
        effects: list[Effect] = []
        for context in list(self._contexts.values()):
            if (idle_at_s := context.idle_at_s(self.limits)) is not None and now_s >= idle_at_s:
                text = f"no text came for {now_s - context.active_s:.0f} s: open a context when there is text"
                effects += self._fail(context, "idle_timeout", text, now_s)
        if effects:
            return [*effects, *self._if_drained()]
        due_s = self.next_tick_s(now_s)
        if self._contexts or due_s is None or now_s < due_s:
            return []
        self._timed_out = True
        error = self._error("idle_timeout", f"nothing was said for {self.limits.idle_s:g} s")
        return [Send(error), HangUp(1000, error.code)]

    # -- messages ---------------------------------------------------------------------------------------------------

    def _start(self, start: wire.Start, recordings: Recordings, now_s: float) -> list[Effect]:
        name, utterance = start.context, self._new_id()
        try:
            check_name("context", name)
        except RequestError as error:
            return [RefuseStart(error_message(error.code, str(error), id=utterance))]
        try:
            self._admit(name)
            request = engine_request(
                start,
                utterance,
                modes=self.info.modes,
                languages=self.info.languages,
                voice_names=self.info.voice_names,
                new_seed=self._new_seed,
                recordings=recordings,
                caller=self.caller,
            )
            sound = sound_format(start, self.info.sample_rate, self.info.opus_problem)
            check_more_text(0, start.text, self.limits)
            lexicon = lexicon_of(start.lexicon, self.limits)
        except RequestError as error:
            return [RefuseStart(error_message(error.code, str(error), name, id=utterance))]
        if not recordings.decoded:
            return []
        stream, self._next_stream = self._next_stream, self._next_stream + 1
        spans = self._ring.spans_of(request.utterance)
        context = Context(name, stream, request, sound, self.info.sample_rate, start.marks, now_s, spans)
        self._contexts[name] = self._streams[stream] = context
        language = None if start.language == "auto" else start.language
        effects: list[Effect] = [OpenUtterance(stream, request, request.streaming, language, start.markup, lexicon)]
        if recordings.source is not None:  # mode vc takes no text
            context.state = "ended"
        if start.text:
            effects += self._text(name, start.text, now_s)
        if start.end:
            effects += self._end(name)
        return effects

    def _admit(self, name: str) -> None:
        if name in self._contexts:
            raise RequestError("context_exists", f"context {name!r} is open: end or cancel it, or use another name")
        if self._draining:
            raise RequestError("shutting_down", "the server stops: connect again")
        if not self._ready:
            raise RequestError("engine_lost", "the engine is starting again")
        if len(self._contexts) >= self.limits.contexts:
            raise RequestError("too_many_contexts", f"expected at most {self.limits.contexts} open contexts")

    def _text(self, name: str, text: str, now_s: float) -> list[Effect]:
        context = self._contexts.get(name)
        if not text and (context is not None or name in self._past):
            return []  # agents send empty text to keep the socket open
        if context is None:
            return self._unknown(name)
        try:
            if context.state == "ended":
                raise RequestError("bad_message", f"text after the end of context {name!r}")
            check_more_text(len(context.text), text, self.limits)
        except RequestError as error:
            return [*self._fail(context, error.code, str(error)), *self._if_drained()]
        context.add_text(text, now_s)
        return [AppendText(context.stream, text)]

    def _flush(self, name: str, flush_id: str) -> list[Effect]:
        context = self._contexts.get(name)
        if context is None:
            return self._unless_past(name)
        try:
            if context.state == "ended":
                raise RequestError("bad_message", f"flush after the end of context {name!r}")
            check_name("id", flush_id, empty=True)
            context.count_flush(self.limits)
        except RequestError as error:
            return [*self._fail(context, error.code, str(error)), *self._if_drained()]
        return [FlushText(context.stream, flush_id)]

    def _end(self, name: str) -> list[Effect]:
        context = self._contexts.get(name)
        if context is None:
            return self._unless_past(name)
        if context.state == "ended":  # some agents send `end` twice
            return []
        context.state = "ended"
        return [EndText(context.stream)]

    def _cancel(self, name: str | None, fade_ms: int, now_s: float) -> list[Effect]:
        if (wrong := wrong_fade(fade_ms)) is not None:  # the speech stops all the same
            return [Send(self._error("bad_message", wrong)), *self._cancel(name, 0, now_s)]
        if name is None:
            return [e for c in list(self._contexts.values()) for e in self._cancel(c.name, fade_ms, now_s)]
        if (context := self._contexts.get(name)) is None:
            return self._unless_past(name)
        self._forget(context, now_s)
        dropped = Discard(context.stream, context.fade(fade_ms))
        return [dropped, Stop(context.stream), Send(context.cancelled(now_s)), *self._if_drained()]

    def _played(self, name: str, ms: float, now_s: float) -> list[Effect]:
        context = self._contexts.get(name)
        if context is None:
            return self._unless_past(name)
        if not 0 <= ms < float("inf"):  # NaN fails too
            return [Send(self._error("bad_message", f"played: ms: expected 0 or more, found {ms!r:.40}"))]
        return [ReportPlayback(context.stream, ms / 1000)] if context.played(ms / 1000, now_s) else []

    def _ping(self, ping_id: str) -> list[Effect]:
        try:
            check_name("id", ping_id, empty=True)
        except RequestError as error:
            return [Send(self._error(error.code, str(error)))]
        return [Send(wire.Pong(ping_id))]

    # -- ends -------------------------------------------------------------------------------------------------------

    def _fail(
        self, context: Context, code: str, text: str, now_s: float | None = None, retry_after_s: float | None = None
    ) -> list[Effect]:
        """Ends a context with an error."""
        self._forget(context, now_s)
        error = error_message(code, text, context.name, retry_after_s, id=context.request.utterance)
        return [Discard(context.stream), Stop(context.stream), Send(error)]

    def _fail_all(self, code: str, text: str, now_s: float) -> list[Effect]:
        return [e for context in list(self._contexts.values()) for e in self._fail(context, code, text, now_s)]

    def _error(self, code: str, text: str, name: str | None = None) -> wire.Error:
        """An error without an open utterance. `name`: the context that it is about, if any."""
        return error_message(code, text, name, id=self._new_id())

    def _forget(self, context: Context, now_s: float | None) -> None:
        if now_s is not None:
            self._quiet_since_s = now_s
        del self._contexts[context.name]
        del self._streams[context.stream]
        self._past.pop(context.name, None)
        self._past[context.name] = None
        if len(self._past) > _REMEMBERED_NAMES:
            del self._past[next(iter(self._past))]

    def _unless_past(self, name: str) -> list[Effect]:
        """A message about a context that is over is ignored: the client may have sent it before it knew."""
        return [] if name in self._past else self._unknown(name)

    def _unknown(self, name: str) -> list[Effect]:
        what = f"expected the name of an open context, found {name[:150]!r:.150}"
        return [Send(self._error("unknown_context", what, name))]

    def _if_drained(self) -> list[Effect]:
        return [HangUp(1001, "the server stops")] if self._draining and not self._contexts else []
