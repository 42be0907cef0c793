"""ElevenLabs' `/v1/text-to-speech/{voice}/multi-stream-input`: many contexts on one socket.

> {"text": " ", "context_id": "c", "voice_settings": {"speed": 1.1}}   opens a context
> {"text": "...", "context_id": "c", "flush": true}                    as often as one likes
> {"text": "", "context_id": "c"}                                      keeps a context open; without an id, all of them
> {"context_id": "c", "close_context": true}
> {"close_socket": true}                                               when all is spoken
< {"audio": "...", "alignment": {...}, "normalizedAlignment": {...}, "isFinal": null, "contextId": "c"}
< {"audio": null, "isFinal": true, "contextId": "c"}                   last of a context
< {"error": "...", "message": "...", "code": 1008, "contextId": "c"}   before the last of a context that fails

Agents close a context both at the end of a turn and to interrupt it. It is the end where the text was declared to be
complete by a flush; then the context speaks to its end. A second close interrupts it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rtserver.messages import wire
from rtserver.messages.errors import error_message
from rtserver.session.outbox import Closing
from rtserver.session.start_request import RequestError, check_name
from rtserver.wire.dialect import Action, Handshake
from rtserver.wire.elevenlabs.context import InputContext
from rtserver.wire.elevenlabs.dialect import DICTIONARIES_IGNORED, InputDialect
from rtserver.wire.elevenlabs.messages import InputMessage
from rtserver.wire.elevenlabs.query import SpeechOffer

# Contexts on a socket that are not over, most of them without text yet. A session opens fewer.
MOST_CONTEXTS = 64
# Contexts that failed, whose text may still come.
_REMEMBERED_IDS = 100


class MultiStreamDialect(InputDialect):
    """One socket."""

    def __init__(self, handshake: Handshake, *, offer: SpeechOffer) -> None:
        super().__init__(handshake, offer=offer)
        self._by_id: dict[str | None, InputContext] = {}  # the latest context of each id
        self._failed: dict[str | None, None] = {}  # ids whose text is dropped, the latest last

    def take(self, message: InputMessage) -> Sequence[Action]:
        if self.closes:
            return ()
        if message.close_socket:
            return self._close_socket()
        context_id, text = message.context, message.text or ""
        self._hear_from(context_id)
        if message.close_context:
            return self._close(context_id)
        if context_id in self._failed or not (text or message.flush):
            return ()
        context, remarks = self._by_id.get(context_id), []
        if context is None or context.closed:
            if not text:
                return ()
            if (refused := self._refused(context_id)) is not None:
                return (refused,)
            context = self._by_id[context_id] = self.begin(context_id, message.voice_settings)
            if message.pronunciation_dictionary_locators:
                remarks.append(self.remark(DICTIONARIES_IGNORED, context_id))
        # LiveKit flushes every sentence, and closes after one of them only to interrupt.
        context.complete = bool(message.flush) and not (text and self.query.sync_alignment)
        return (*remarks, *self.speak(context, text, flush=bool(message.flush)))

    def named(self, context_id: str | None) -> Mapping[str, object]:
        return {"contextId": context_id}

    def over(self, context: InputContext) -> Sequence[Action]:
        if self._by_id.get(context.id) is context:
            del self._by_id[context.id]
        return (Closing(1000, ""),) if self.closes and not self.contexts else ()

    def failed(self, context: InputContext, error: wire.Error) -> Sequence[Action]:
        """The rest of its text may be on its way. LiveKit does not close such a context."""
        if not context.closed:
            self._failed[context.id] = None
            if len(self._failed) > _REMEMBERED_IDS:
                del self._failed[next(iter(self._failed))]
        return (self.final(context), *self.over(context))

    def timed_out(self, context: InputContext) -> Sequence[Action]:
        """Its name is free: text that comes later opens another context."""
        return (self.timeout(context.id), *self.drop(context))

    def _hear_from(self, context_id: str | None) -> None:
        """A message has come. One without an id keeps all contexts open: pipecat sends such messages while a turn may
        wait for its model."""
        for context in self.contexts.values():
            if context_id is None or context.id == context_id:
                context.silence.broken()

    def _refused(self, context_id: str | None) -> str | None:
        """Why a context cannot be opened, as the client is told."""
        try:
            check_name("context_id", context_id or "", empty=True)
        except RequestError as error:
            return self.complaint(error_message(error.code, str(error)))
        if len(self.contexts) >= MOST_CONTEXTS:
            what = f"expected at most {MOST_CONTEXTS} contexts that are not over, found another"
            return self.complaint(error_message("too_many_contexts", what), context_id)
        return None

    def _close(self, context_id: str | None) -> Sequence[Action]:
        self._failed.pop(context_id, None)
        context = self._by_id.get(context_id)
        if context is None:
            return ()
        return self.end(context) if context.complete and not context.closed else self.drop(context)

    def _close_socket(self) -> Sequence[Action]:
        self.closes = True
        if not self.contexts:
            return (Closing(1000, ""),)
        open_contexts = [context for context in self.contexts.values() if not context.closed]
        return [action for context in open_contexts for action in self.end(context)]
