"""Cartesia's `/tts/websocket`.

> {"context_id": "a", "transcript": "...", "continue": true, "voice": ..., "output_format": ..., ...}
> {"context_id": "a", "transcript": "", "continue": false}    no more text follows
> {"context_id": "a", "cancel": true}
< {"type": "chunk", "data": base64, ...}, {"type": "timestamps", ...}
< {"type": "flush_done", ...}                                 after all sound of the text before a flush
< {"type": "done", ...}                                       last, also after a cancel
< {"type": "error", ...}                                      last too

The first message of a context says how all its text is spoken. Several contexts may be open at once. Text needs no
buffer here: speech begins as soon as enough text has come. With `max_buffer_delay_ms` 0 each message is a sentence that
is complete, so it is flushed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from aiohttp import web

from rtserver.front.access import Credentials
from rtserver.messages import wire
from rtserver.messages.codec import MessageError
from rtserver.session.ids import new_utterance_id
from rtserver.session.outbox import WsFrame
from rtserver.session.start_request import RequestError, check_name
from rtserver.wire.cartesia.errors import http_error
from rtserver.wire.cartesia.events import chunk, done, failed, flush_done, timestamps
from rtserver.wire.cartesia.messages import Generation, generation_of, named_context
from rtserver.wire.cartesia.request import SpeechOffer
from rtserver.wire.dialect import Action, Dialect, Handshake
from rtserver.wire.first_text import is_enough

# Contexts that failed or have no letter yet: the oldest is forgotten.
_MOST_CONTEXTS = 100


@dataclass
class _Context:
    """A context from its first message until it is over."""

    # What opens it, without text.
    start: wire.Start
    # Its text so far, until it is opened.
    text: str = ""
    opened: bool = False
    # Whether all its text has come.
    ended: bool = False
    # Whether it failed while more text was to come. Then nothing more of it is spoken.
    failed: bool = False
    # Flushes that were asked for, and those that are done.
    flushes: int = 0
    flushed: int = 0
    # The words of the sound that comes next.
    words: list[wire.Mark] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.start.context


class CartesiaDialect(Dialect[Generation]):
    """One socket."""

    def __init__(self, handshake: Handshake, *, offer: SpeechOffer) -> None:
        super().__init__(handshake)
        self._offer = offer
        self._contexts: dict[str, _Context] = {}

    def credentials(self) -> Credentials:
        return credentials_of(self.handshake)

    def refusal(self, error: wire.Error) -> web.Response | None:
        return http_error(error)

    # -- in ---------------------------------------------------------------------------------------------------------

    def decode(self, frame: WsFrame) -> Generation:
        try:
            return generation_of(frame)
        except (ValueError, RecursionError) as error:
            raise MessageError("bad_message", str(error)[:300], {"context": named_context(frame)}) from error

    def unreadable(self, error: MessageError) -> Sequence[Action]:
        """An open context ends, because text of it may be lost. The client is told with the name that it gave."""
        name = error.raw.get("context")
        context = self._contexts.get(name or "")
        if name is None or (context is not None and not context.opened):
            return [MessageError(error.code, str(error), {"type": "start", "context": name})]
        kind = "start" if context is None else "text"
        return [MessageError(error.code, str(error), {"type": kind, "context": name})]

    def take(self, message: Generation) -> Sequence[Action]:
        name = message.context_id or new_utterance_id()
        try:
            check_name("context_id", name)  # it comes back in every message, also of no speech
        except RequestError as error:
            return (_refused(error.code, str(error), name),)
        context = self._contexts.get(name)
        if message.cancel:
            return () if context is None else self._cancel(context)
        if context is None:
            if message.is_blank and not message.continues:
                return (done(name),)
            try:
                context = _Context(self._offer.start(message, name))
            except RequestError as error:
                if message.continues:
                    self._remember(_Context(wire.Start(name), failed=True))
                return (_refused(error.code, str(error), name),)
            self._remember(context)
        if context.failed:
            return self._after_failure(context, message)
        return self._more(context, message)

    def _more(self, context: _Context, message: Generation) -> Sequence[Action]:
        was_ended, context.ended = context.ended, context.ended or not message.continues
        if was_ended and message.is_blank:  # some agents end a context twice
            return ()
        if message.is_complete:
            context.flushes += 1
        flush = (wire.Flush(context.name, str(context.flushes)),) if message.is_complete else ()
        if context.opened:
            end = (wire.End(context.name),) if context.ended and not was_ended else ()
            text = (wire.Text(message.transcript, context.name),) if message.transcript else ()
            return (*text, *flush, *end)
        context.text = (context.text + message.transcript).lstrip()
        if is_enough(context.text, context.ended or message.is_complete):
            context.opened = True
            return (replace(context.start, text=context.text, end=context.ended), *flush)
        if context.ended:
            del self._contexts[context.name]
            return (done(context.name),)
        if flush:
            context.flushed = context.flushes
            return (flush_done(context.name, context.flushes),)
        return ()

    def _cancel(self, context: _Context) -> Sequence[Action]:
        if context.opened and not context.failed:
            return (wire.Cancel(context.name),)
        del self._contexts[context.name]
        return () if context.failed else (done(context.name),)

    def _after_failure(self, context: _Context, message: Generation) -> Sequence[Action]:
        """The rest of the text is not spoken: the listener would miss what came before it."""
        if not message.continues:
            del self._contexts[context.name]
        if message.is_blank:
            return ()
        what = f"expected a context that has not failed, found {context.name[:60]!r:.60}: take another context_id"
        return (failed(wire.Error("unknown_context", what), context.name),)

    def _remember(self, context: _Context) -> None:
        idle = [one.name for one in self._contexts.values() if one.failed or not one.opened]
        if len(idle) >= _MOST_CONTEXTS:
            del self._contexts[idle[0]]
        self._contexts[context.name] = context

    # -- out --------------------------------------------------------------------------------------------------------

    def tell(self, message: wire.ServerMessage) -> Sequence[WsFrame]:
        if isinstance(message, wire.Error):
            return (self._failed(message),)
        context = None if isinstance(message, wire.Ready | wire.Pong) else self._contexts.get(message.context)
        if context is None:
            return ()
        match message:
            case wire.Mark():
                context.words.append(message)
            case wire.Audio(data=data):
                return (*self._words(context), chunk(context.name, data, context.flushed + 1))
            case wire.Flushed():
                words = self._words(context)
                context.flushed += 1
                return (*words, flush_done(context.name, context.flushed))
            case wire.Done() | wire.Cancelled():
                del self._contexts[context.name]
                words = self._words(context) if isinstance(message, wire.Done) else ()
                return (*words, done(context.name))
        return ()

    def _words(self, context: _Context) -> Sequence[WsFrame]:
        words, context.words = context.words, []
        return (timestamps(context.name, words, context.flushed + 1),) if words else ()

    def _failed(self, error: wire.Error) -> WsFrame:
        context = self._contexts.get(error.context or "")
        if context is not None and context.ended:
            del self._contexts[context.name]
        elif context is not None:
            context.failed = True
        return failed(error, error.context)


def credentials_of(handshake: Handshake) -> Credentials:
    """`?access_token=` of a browser, beside the usual places."""
    usual = Credentials.of(handshake.headers, handshake.query)
    return Credentials(handshake.query.get("access_token")) if usual.key is None else usual


def _refused(code: str, text: str, name: str) -> MessageError:
    """The session answers it as it answers a start that is no message."""
    return MessageError(code, text, {"type": "start", "context": name})
