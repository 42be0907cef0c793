"""What ElevenLabs' two sockets have in common: a voice for the whole socket, and messages for what a context says."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence

import msgspec
from aiohttp import web

from rtserver.front.access import Credentials
from rtserver.http.sound import warning_text
from rtserver.messages import wire
from rtserver.messages.codec import MessageError
from rtserver.session.outbox import WsFrame
from rtserver.wire.dialect import Action, Dialect, Handshake
from rtserver.wire.elevenlabs.alignment import Alignment, TimedCharacters
from rtserver.wire.elevenlabs.context import InputContext
from rtserver.wire.elevenlabs.errors import http_error, socket_error, timeout_error
from rtserver.wire.elevenlabs.messages import InputMessage, VoiceSettings
from rtserver.wire.elevenlabs.query import SpeechOffer, SpeechQuery
from rtserver.wire.elevenlabs.silence import TICKS

DICTIONARIES_IGNORED = "pronunciation_dictionary_locators: there are no dictionaries of ElevenLabs here: ignored"
_DECODER = msgspec.json.Decoder(InputMessage)


def credentials_of(headers: Mapping[str, str], query: Mapping[str, str]) -> Credentials:
    """`?single_use_token=KEY`, as browsers send it, beside the usual places."""
    found = Credentials.of(headers, query)
    return found if found.key is not None else Credentials(query.get("single_use_token") or None)


class InputDialect(Dialect[InputMessage]):
    """One socket. Its path and query say how all its contexts are spoken."""

    key_in_first_message = True

    def __init__(self, handshake: Handshake, *, offer: SpeechOffer) -> None:
        super().__init__(handshake)
        self._offer = offer
        self._query: SpeechQuery | None = None  # until `check`
        self._begun = 0  # contexts so far
        self.contexts: dict[str, InputContext] = {}  # those that are not over, by their names in the session
        self.closes = False  # whether the client wants no more

    # -- what differs -----------------------------------------------------------------------------------------------

    @abstractmethod
    def named(self, context_id: str | None) -> Mapping[str, object]:
        """The fields of each message that name its context."""

    @abstractmethod
    def over(self, context: InputContext) -> Sequence[Action]:
        """A context is over, and its last message was told."""

    @abstractmethod
    def failed(self, context: InputContext, error: wire.Error) -> Sequence[Action]:
        """A context is over because of an error, which was told just now."""

    @abstractmethod
    def timed_out(self, context: InputContext) -> Sequence[Action]:
        """The client has sent nothing for a context for too long."""

    # -- the door ---------------------------------------------------------------------------------------------------

    @property
    def query(self) -> SpeechQuery:
        """What the client asked for when it came in."""
        assert self._query is not None, "nothing is said before the check"
        return self._query

    def credentials(self) -> Credentials:
        return credentials_of(self.handshake.headers, self.handshake.query)

    def credentials_in(self, message: InputMessage) -> Credentials:
        return Credentials(message.key)

    def check(self) -> None:
        self._query = self._offer.asked(self.handshake.path["voice"], self.handshake.query)
        self.tick_s = self._query.inactivity_s / TICKS

    def refusal(self, error: wire.Error) -> web.Response | None:
        return http_error(error)

    # -- in ---------------------------------------------------------------------------------------------------------

    def decode(self, frame: WsFrame) -> InputMessage:
        try:
            return _DECODER.decode(frame)
        except (ValueError, RecursionError) as error:
            raise MessageError("bad_message", f"expected an object with text: {str(error)[:200]}") from error

    def begin(self, context_id: str | None, settings: VoiceSettings | None) -> InputContext:
        """A new context."""
        self._begun += 1
        speed = 1.0 if settings is None else settings.possible_speed
        alignment = Alignment(restarts=not self.query.sync_alignment)
        context = InputContext(f"input-{self._begun}", context_id, speed, alignment)
        self.contexts[context.name] = context
        return context

    def speak(self, context: InputContext, text: str, *, flush: bool) -> Sequence[Action]:
        """More text of a context."""
        return context.speak(text, self.query, flush=flush or (self.query.auto_mode and bool(text.strip())))

    def end(self, context: InputContext) -> Sequence[Action]:
        """A context gets no more text."""
        return context.end(self.query) or self._over(context)

    def drop(self, context: InputContext) -> Sequence[Action]:
        """A context is not to be heard any more."""
        return context.drop() or self._over(context)

    def complaint(self, error: wire.Error, context_id: str | None = None) -> str:
        """Something went wrong."""
        return _frame({**socket_error(error), **self.named(context_id)})

    def timeout(self, context_id: str | None = None) -> str:
        """The client has sent nothing for too long."""
        return _frame({**timeout_error(self.query.inactivity_s), **self.named(context_id)})

    def final(self, context: InputContext) -> str:
        """The last message of a context. Nothing else may be in it: pipecat would not read it."""
        return _frame({"audio": None, "isFinal": True, **self.named(context.id)})

    def remark(self, text: str, context_id: str | None) -> str:
        """A part of what was asked for is not done. Clients ignore it."""
        return _frame({"audio": None, "isFinal": None, "warning": text, **self.named(context_id)})

    def tick(self) -> Sequence[Action]:
        awaiting_text = [context for context in self.contexts.values() if not context.closed]
        silent = [context for context in awaiting_text if context.silence.grows()]
        return [action for context in silent for action in self.timed_out(context)]

    # -- out --------------------------------------------------------------------------------------------------------

    def tell(self, message: wire.ServerMessage) -> Sequence[Action]:
        match message:
            case wire.Ready() | wire.Started() | wire.Flushed() | wire.Pong():
                return ()
            case wire.Error(context=None):
                return (self.complaint(message),)
        context = self.contexts.get(message.context or "")
        if context is None:
            return ()
        match message:
            case wire.Mark():
                context.alignment.add(message)
                return ()
            case wire.Audio():
                context.silence.broken()
                return (self._sound(context, message.data, context.alignment.take()),)
            case wire.Warning():
                return (self.remark(warning_text(message), context.id),)
            case wire.Done():  # the last words may have got their times only now
                last = context.alignment.take()
                told = () if last is None else (self._sound(context, None, last),)
                return (*told, *self._over(context))
            case wire.Cancelled():
                return self._over(context)
            case wire.Error():
                del self.contexts[context.name]
                return (self.complaint(message, context.id), *self.failed(context, message))
        return ()

    def _over(self, context: InputContext) -> Sequence[Action]:
        del self.contexts[context.name]
        return (self.final(context), *self.over(context))

    def _sound(self, context: InputContext, data: bytes | None, heard: TimedCharacters | None) -> str:
        """Sound and the characters that begin in it. pipecat reads `alignment` and LiveKit `normalizedAlignment`."""
        alignment = None if heard is None else heard.on_a_socket()
        told = {"audio": data, "isFinal": None, "alignment": alignment, "normalizedAlignment": alignment}
        return _frame({**told, **self.named(context.id)})


def _frame(fields: Mapping[str, object]) -> str:
    return msgspec.json.encode(fields).decode()
