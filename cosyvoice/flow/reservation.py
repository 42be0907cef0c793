"""Memory for one utterance, taken before it begins, so that its hops cannot run out of memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack

from cosyvoice.flow.kv import KvBlock
from cosyvoice.flow.voice import FlowVoice


class FlowReservation:
    """Made by FlowMemory.reserve. Holds the memory of one stream, and the voice's prefix (or memory for it). The
    streams of an utterance use it one after another. `close` gives everything back, at any time."""

    def __init__(
        self,
        voice: FlowVoice,
        blocks: Sequence[KvBlock],
        held: ExitStack,
        *,
        size_bytes: int,
        window_frames: int | None,
    ) -> None:
        """held: gives the memory and the prefix back when it is closed.
        size_bytes: bytes in the budget, without those of the prefix, which belong to the voice.
        window_frames: a frame sees the prefix, its own chunk and the chunks before it, up to this many frames; None:
        everything before it.
        """
        self.voice = voice
        self.size_bytes = size_bytes
        self.window_frames = window_frames
        self._begun_window_frames: int | None = None
        self.closed = False
        self._blocks = list(blocks)
        self._held = held
        self._stop_stream: Callable[[], None] | None = None

    @property
    def blocks(self) -> Sequence[KvBlock]:
        """Memory for the stream's keys and values."""
        return self._blocks

    @property
    def seen_frames(self) -> int | None:
        """The window of the reservation, or the one that its last stream began when there was no more memory. None: a
        frame sees everything before it."""
        return self._begun_window_frames if self.window_frames is None else self.window_frames

    def begin_window(self, frames: int) -> None:
        """A stream has found no more memory, and keeps a window of this many frames."""
        self._begun_window_frames = frames

    def begin_stream(self, voice: FlowVoice, stop: Callable[[], None]) -> None:
        """A stream uses the memory from now on. `stop` closes the stream; it is called when the reservation is closed
        first. Raises ValueError when the reservation is closed, in use, or of another voice."""
        if self.closed or self._stop_stream is not None or voice is not self.voice:
            found = "a closed one" if self.closed else "another voice's" if voice is not self.voice else "one in use"
            raise ValueError(f"reservation: expected an open one of the stream's voice without a stream, found {found}")
        self._stop_stream = stop
        self._begun_window_frames = None

    def end_stream(self) -> None:
        """The stream does not use the memory any more."""
        self._stop_stream = None

    def close(self) -> None:
        """Closes the stream, if there is one, and gives all memory back. May be called again."""
        if self.closed:
            return
        self.closed = True
        if self._stop_stream is not None:
            self._stop_stream()
        self._blocks = []
        self._held.close()
