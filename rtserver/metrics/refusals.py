"""Where clients are refused, with the refusals counted."""

from __future__ import annotations

from collections.abc import Callable

from rtserver.messages import wire
from rtserver.messages.codec import MessageError
from rtserver.session.caller import Caller
from rtserver.session.effects import Effect, Send, Speak
from rtserver.session.session import ServerInfo, Session
from rtserver.session.start_request import NO_RECORDINGS, Recordings

OnRefusal = Callable[[str], None]


class CountingSession(Session):
    """Counts starts that the session answers with an error. What an engine refuses is counted there."""

    def __init__(
        self,
        info: ServerInfo,
        caller: Caller,
        new_seed: Callable[[], int],
        new_id: Callable[[], str],
        on_refusal: OnRefusal,
    ) -> None:
        super().__init__(info, caller, new_seed, new_id)
        self._on_refusal = on_refusal

    def receive(
        self, message: wire.ClientMessage, now_s: float, recordings: Recordings = NO_RECORDINGS
    ) -> list[Effect]:
        effects = super().receive(message, now_s, recordings)
        if isinstance(message, wire.Start):
            self._count(effects)
        return effects

    def malformed(self, error: MessageError, now_s: float) -> list[Effect]:
        effects = super().malformed(error, now_s)
        if error.raw.get("type") == "start":
            self._count(effects)
        return effects

    def unusable(self, start: wire.Start, code: str, text: str, now_s: float) -> list[Effect]:
        effects = super().unusable(start, code, text, now_s)
        self._count(effects)
        return effects

    def _count(self, effects: list[Effect]) -> None:
        if any(isinstance(effect, Speak) for effect in effects):
            return
        for effect in effects:
            if isinstance(effect, Send) and isinstance(effect.message, wire.Error):
                self._on_refusal(effect.message.code)
