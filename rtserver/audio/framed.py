"""Frames of coded sound for the wires of WebSockets, numbered and placed in the context's audio."""

from __future__ import annotations

from rtserver.audio.codec import CodedPiece
from rtserver.audio.encoder import open_encoder
from rtserver.audio.formats import SoundFormat
from rtserver.audio.frames import Frame


class SoundFrames:
    """One context's sound, fed in the pieces that a `Framer` cut. PCM at the model's rate passes as it is; Opus gives a
    frame a packet. What a format keeps back (a resampler's filter, a packet's rest) comes later, at the end at last.

    A frame's place counts samples as the receiver decodes them. Opus decodes 6.5 ms late and MP3 46 ms (at 24 kHz), so
    there the sound is that much earlier than `start_ms`."""

    def __init__(self, sound: SoundFormat, native_rate: int) -> None:
        self._encoder = open_encoder(sound, native_rate)
        self._rate = sound.sample_rate
        self._seq = 0
        self._samples = 0

    def feed(self, pcm: bytes) -> list[Frame]:
        """Costs what the format costs; see `encoder.py`. ValueError for half a sample."""
        return self._frames(self._encoder.pieces(pcm))

    def finish(self) -> list[Frame]:
        """The rest. Nothing may follow."""
        return self._frames(self._encoder.last_pieces())

    def _frames(self, pieces: list[CodedPiece]) -> list[Frame]:
        return [self._frame(piece) for piece in pieces]

    def _frame(self, piece: CodedPiece) -> Frame:
        frame = Frame(self._seq, self._samples * 1000 // self._rate, piece.data)
        self._seq += 1
        self._samples += piece.samples
        return frame
