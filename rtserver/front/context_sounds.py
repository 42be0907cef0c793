"""The sound of each context in the format that the client asked for."""

from __future__ import annotations

from collections.abc import Sequence

from rtserver.audio.formats import SoundFormat
from rtserver.audio.framed import SoundFrames
from rtserver.audio.frames import Frame
from rtserver.audio.threads import in_frame_thread
from rtserver.messages import wire


class ContextSounds:
    """Takes what a session says, in order, and gives the same with the sound encoded. `rate_hz` is the engine's."""

    def __init__(self, rate_hz: int) -> None:
        self._plain = SoundFormat("pcm_s16le", rate_hz)
        # Only the contexts whose sound is not the engine's own: the stream, and what makes the frames.
        self._encoded: dict[str | None, tuple[int, SoundFrames]] = {}

    def encodes(self, context: str) -> bool:
        """Whether the sound of a context is to be changed."""
        return context in self._encoded

    async def encoded(self, item: wire.ServerMessage) -> Sequence[wire.ServerMessage]:
        """A container's header comes with its first sound, and its end before `done`. After an error or a cancel
        nothing more of it comes. Encoding takes a worker thread."""
        match item:
            case wire.Started():
                sound = SoundFormat(item.format, item.sample_rate)
                if sound != self._plain:
                    self._encoded[item.context] = item.stream, SoundFrames(sound, self._plain.sample_rate)
            case wire.Audio() if item.context in self._encoded:
                stream, frames = self._encoded[item.context]
                return _messages(item.context, stream, await in_frame_thread(frames.feed, item.data))
            case wire.Done() if item.context in self._encoded:
                stream, frames = self._encoded.pop(item.context)
                return [*_messages(item.context, stream, await in_frame_thread(frames.finish)), item]
            case wire.Cancelled():
                self._encoded.pop(item.context, None)
            case wire.Error() if item.code != "context_exists":  # then the context goes on
                self._encoded.pop(item.context, None)
        return [item]


def _messages(context: str, stream: int, frames: list[Frame]) -> list[wire.ServerMessage]:
    return [wire.Audio(context, frame.seq, frame.start_ms, frame.data, stream) for frame in frames]
