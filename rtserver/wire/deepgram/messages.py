"""What clients of Deepgram's `speak` sockets send. Fields that are not known are ignored."""

from __future__ import annotations

from typing import Literal

import msgspec


class Speak(msgspec.Struct, tag=True):
    """More text of the turn, or the first of a new one."""

    text: str


class Flush(msgspec.Struct, tag=True):
    """The turn's text is complete."""


class Clear(msgspec.Struct, tag=True):
    """Aura: stops, and drops all that is not spoken yet."""


class Offset(msgspec.Struct):
    """How much sound of the whole session the listener has heard."""

    # In ms.
    value: float
    type: Literal["time_ms"] = "time_ms"


class Interrupt(msgspec.Struct, tag=True):
    """Flux: the same as Clear, and tells what was heard."""

    playback_offset: Offset | None = None


class Configure(msgspec.Struct, tag=True):
    """Flux: how the next turns are spoken."""

    speed: float | None = None


class Close(msgspec.Struct, tag=True):
    """Closes the socket when all is spoken."""


AuraMessage = Speak | Flush | Clear | Close
FluxMessage = Speak | Flush | Interrupt | Configure | Close
SpeakMessage = AuraMessage | FluxMessage
