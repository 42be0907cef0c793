"""The sound of each context in the format that the client asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rtserver.audio.formats import SoundFormat
from rtserver.audio.framed import SoundFrames
from rtserver.audio.frames import Frame
from rtserver.audio.threads import in_frame_thread
from rtserver.messages import wire


@dataclass
class _Encoding:
    """The sound of one context that is not the engine's own."""

    stream: int
    frames: SoundFrames
    # How long its sound took from the session to frames: waiting for a thread is part of it.
    seconds: float = 0.0


class ContextSounds:
    """Takes what a session says, in order, and gives the same with the sound encoded. `rate_hz` is the engine's."""

    def __init__(self, rate_hz: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._plain = SoundFormat("pcm_s16le", rate_hz)
        self._clock = clock
        # Only the contexts whose sound is not the engine's own.
        self._encodings: dict[str | None, _Encoding] = {}

    def encodes(self, context: str) -> bool:
        """Whether the sound of a context is to be changed."""
        return context in self._encodings

    async def encoded(self, item: wire.ServerMessage) -> Sequence[wire.ServerMessage]:
        """A container's header comes with its first sound, and its end before `done`, whose `timings` say how long
        encoding took. After an error or a cancel nothing more of it comes. Encoding takes a worker thread."""
        match item:
            case wire.Started():
                sound = SoundFormat(item.format, item.sample_rate)
                if sound != self._plain:
                    frames = SoundFrames(sound, self._plain.sample_rate)
                    self._encodings[item.context] = _Encoding(item.stream, frames)
            case wire.Audio() if item.context in self._encodings:
                encoding = self._encodings[item.context]
                return await self._frames(item.context, encoding, encoding.frames.feed, item.data)
            case wire.Done() if item.context in self._encodings:
                encoding = self._encodings.pop(item.context)
                last = await self._frames(item.context, encoding, encoding.frames.finish)
                timings = item.timings | {"encode": round(encoding.seconds * 1000, 1)}
                return [*last, replace(item, timings=timings)]
            case wire.Cancelled():
                self._encodings.pop(item.context, None)
            case wire.Error() if item.code != "context_exists":  # then the context goes on
                self._encodings.pop(item.context, None)
        return [item]

    async def _frames(
        self, context: str, encoding: _Encoding, work: Callable[..., list[Frame]], *sound: bytes
    ) -> list[wire.ServerMessage]:
        from_s = self._clock()
        frames = await in_frame_thread(work, *sound)
        encoding.seconds += self._clock() - from_s
        return [wire.Audio(context, frame.seq, frame.start_ms, frame.data, encoding.stream) for frame in frames]
