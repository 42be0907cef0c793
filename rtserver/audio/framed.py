"""Frames of coded sound for WebSockets. Each has its number and its position in the context's audio."""

from __future__ import annotations

from rtserver.audio.codec import CodedPiece
from rtserver.audio.encoder import open_encoder
from rtserver.audio.formats import SoundFormat
from rtserver.audio.frames import Frame


class SoundFrames:
    """Codes the sound of one context, which comes in the pieces that a `Framer` cut.

    PCM at the model's rate is not changed. Opus has one frame for each packet. A container is cut anywhere, and its
    header is in the first frame. Some formats hold sound back (in the
    filter of the resampler, or until a packet is full); it comes in a later frame, or at the end.

    `start_ms` counts the samples that the receiver decodes. Decoders put a delay before the sound: Opus 6.5 ms, MP3
    46 ms and AAC 43 ms (at 24 kHz). There the sound of a frame was that much earlier in the utterance
    than `start_ms` says.
    """

    def __init__(self, sound: SoundFormat, native_rate: int) -> None:
        self._encoder = open_encoder(sound, native_rate)
        self._rate = sound.sample_rate
        self._seq = 0
        self._samples = 0

    def feed(self, pcm: bytes) -> list[Frame]:
        """Adds samples. The work depends on the format; see `encoder.py`. Raises ValueError for half a sample."""
        return self._frames(self._encoder.pieces(pcm))

    def finish(self) -> list[Frame]:
        """Returns the rest. Nothing may follow."""
        return self._frames(self._encoder.last_pieces())

    def _frames(self, pieces: list[CodedPiece]) -> list[Frame]:
        return [self._frame(piece) for piece in pieces]

    def _frame(self, piece: CodedPiece) -> Frame:
        frame = Frame(self._seq, self._samples * 1000 // self._rate, piece.data)
        self._seq += 1
        self._samples += piece.samples
        return frame
