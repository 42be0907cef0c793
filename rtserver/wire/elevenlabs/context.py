"""A context of ElevenLabs: one stream of text to one stream of speech, as on the native wire."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rtserver.messages import wire
from rtserver.wire.dialect import Action
from rtserver.wire.elevenlabs.alignment import Alignment
from rtserver.wire.elevenlabs.query import SpeechQuery
from rtserver.wire.elevenlabs.silence import Silence
from rtserver.wire.first_text import is_enough


@dataclass
class InputContext:
    """One that is not over. It opens in the session when the first letter has come, because the language of a voice
    depends on the text."""

    # Its name in the session.
    name: str
    # The client's name for it; None for the one without a name.
    id: str | None
    # A factor of the usual speed.
    speed: float
    # The words that were heard and not told yet.
    alignment: Alignment
    # Text that came before it was opened, without space before it.
    waiting: str = ""
    # Whether it is open in the session.
    opened: bool = False
    # Whether text has come since the last flush.
    unflushed: bool = False
    # Whether a close lets it speak to its end: its text so far was declared to be complete.
    complete: bool = False
    # Whether it takes no more text.
    closed: bool = False
    # How long the client has sent nothing for it, and it has not spoken.
    silence: Silence = field(default_factory=Silence)

    def speak(self, text: str, query: SpeechQuery, *, flush: bool) -> Sequence[Action]:
        """More text. `flush`: it is spoken without waiting for more."""
        if flush and text and not text[-1].isspace():
            text += " "  # pipecat sends sentences without a space between them
        actions: list[Action] = []
        if not self.opened:
            self.waiting = (self.waiting + text).lstrip()
            if not is_enough(self.waiting, flush):
                return ()
            actions.append(self._start(query))
        elif text:
            actions.append(wire.Text(text, self.name))
        self.unflushed = self.unflushed or bool(text.strip())
        if flush and self.unflushed:
            actions.append(wire.Flush(self.name))
            self.unflushed = False
        return actions

    def end(self, query: SpeechQuery) -> Sequence[Action]:
        """No more text comes. Nothing: it has nothing to say, and is over."""
        self.closed = True
        if self.opened:
            return (wire.End(self.name),)
        return (self._start(query, end=True),) if self.waiting else ()

    def drop(self) -> Sequence[Action]:
        """Its sound ends now. Nothing: it had none, and is over."""
        self.closed = True
        return (wire.Cancel(self.name),) if self.opened else ()

    def _start(self, query: SpeechQuery, *, end: bool = False) -> wire.Start:
        self.opened = self.unflushed = True
        return wire.Start(
            context=self.name,
            voice=query.voice,
            language=query.language,
            format=query.sound.name,
            sample_rate=query.sound.sample_rate,
            speed=self.speed,
            text=self.waiting,
            end=end,
        )
