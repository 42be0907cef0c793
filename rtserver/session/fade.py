"""The last frame of a cancelled context: its sound falls to silence, so that the end does not click. Pure."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, replace

from rtserver.audio.formats import short_number
from rtserver.messages import wire

# The longest fade. A listener should not hear more of a speech that it has cancelled.
MOST_FADE_MS = 100


@dataclass(frozen=True)
class Fade:
    """How the sound of a context ends, when its client asks for a fade."""

    # Length of the fade.
    samples: int
    # The frame where nothing waits to be sent: the last sample that was sent, held for the length of the fade.
    held: wire.Audio

    def frame(self, waiting: wire.Audio | None) -> wire.Audio:
        """The last frame. `waiting`: the frame that would have been sent next."""
        sound = self.held if waiting is None else waiting
        return replace(sound, data=faded(sound.data, self.samples))


def wrong_fade(fade_ms: int) -> str | None:
    """What is wrong with the length of a fade; None where nothing is."""
    if 0 <= fade_ms <= MOST_FADE_MS:
        return None
    return f"cancel: fade_ms: expected 0 to {MOST_FADE_MS}, found {short_number(fade_ms)}"


def faded(pcm: bytes, samples: int) -> bytes:
    """The first 16-bit samples, at most this many, which fall evenly to zero."""
    sound = array("h", pcm[: 2 * samples])
    last = len(sound) - 1
    return array("h", [sample * (last - at) // max(last, 1) for at, sample in enumerate(sound)]).tobytes()
