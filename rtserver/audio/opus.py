"""Opus packets of 20 ms without a container. Each must be sent as one message.

One second of audio takes 12 ms of CPU time at 24 kHz, and 3 ms at 8 kHz.
"""

from __future__ import annotations

from rtserver.audio.codec import CodedPiece
from rtserver.audio.frames import BYTES_PER_SAMPLE
from rtserver.audio.libopus import load_opuslib

PACKET_MS = 20
SPEECH_BITRATE = 32_000

# "voip" filters the input as if a microphone had picked it up in a room; "audio" stays close to the input. Synthetic
# speech needs no filter, because it has no room and no hum.
_APPLICATION = "audio"


class OpusCodec:
    """Codes 16-bit samples into packets.

    A decoder's output is `look_ahead` samples late. So `finish` adds silence until the decoder has given out all of the
    sound and the last packet is full. Raises OpusMissing if there is no libopus.
    """

    def __init__(self, sample_rate: int, bitrate: int = SPEECH_BITRATE) -> None:
        self._encoder = load_opuslib().Encoder(sample_rate, 1, _APPLICATION)
        self._encoder.bitrate = bitrate
        self.look_ahead: int = self._encoder.lookahead
        self.packet_samples = sample_rate * PACKET_MS // 1000
        self._packet_bytes = self.packet_samples * BYTES_PER_SAMPLE
        self._waiting = bytearray()
        self._has_begun = False

    def encode(self, pcm: bytes) -> list[CodedPiece]:
        """One piece for each packet."""
        self._has_begun = self._has_begun or bool(pcm)
        self._waiting += pcm
        whole = len(self._waiting) - len(self._waiting) % self._packet_bytes
        packets = [self._packet(at) for at in range(0, whole, self._packet_bytes)]
        del self._waiting[:whole]
        return packets

    def finish(self) -> list[CodedPiece]:
        """At least one packet if there was any sound, because the decoder has not given out its end yet."""
        if not self._has_begun:
            return []
        silence = bytes(self.look_ahead * BYTES_PER_SAMPLE)
        missing = -(len(self._waiting) + len(silence)) % self._packet_bytes
        return self.encode(silence + bytes(missing))

    def _packet(self, at: int) -> CodedPiece:
        pcm = bytes(self._waiting[at : at + self._packet_bytes])
        return CodedPiece(self._encoder.encode(pcm, self.packet_samples), self.packet_samples)
