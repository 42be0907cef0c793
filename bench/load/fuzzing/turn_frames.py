"""Frames for the sockets of turns, Deepgram's and vllm-omni's."""

from __future__ import annotations

import base64
from random import Random

from bench.load.fuzzing.frames import Odd, Pairs
from bench.load.fuzzing.protocol_frames import TEXTS, Fields, Protocol, one_of, types


def recording(rng: Random) -> object:
    """A recording as clients send it, or what is none."""
    data = base64.b64encode(rng.randbytes(rng.randrange(200))).decode()
    return rng.choice((None, data, f"data:audio/wav;base64,{data}", "file:///etc/passwd", "http://a/b.wav"))


def _offset(rng: Random) -> object:
    return Pairs([("type", "time_ms"), ("value", rng.choice((0, -1, 900.5, 1e308, Odd("1e400", b""))))])


def _typed(messages: dict[str, Fields]) -> dict[str, Fields]:
    """Each message with its type."""
    return {kind: {"type!": one_of(kind), **fields} for kind, fields in messages.items()}


_SPEAK: dict[str, Fields] = {"Speak": {"text": one_of(*TEXTS)}, "Flush": {}, "Close": {}}
AURA = Protocol(
    _typed({**_SPEAK, "Clear": {}}),
    ("Speak", "Speak", "Speak", "Flush", "Flush", "Clear") * 8 + ("Close",),
    types("Metadata", "Flushed", "Cleared", "Warning", "Error"),
)
FLUX = Protocol(
    _typed(
        {
            **_SPEAK,
            "Interrupt": {"playback_offset": _offset},
            "Configure": {"speed": one_of(0.5, 1, 1.3, 2, 9, -1, None, "fast")},
        }
    ),
    ("Speak", "Speak", "Speak", "Flush", "Flush", "Interrupt", "Configure") * 8 + ("Close",),
    types(
        *("Connected", "SpeechStarted", "Flushed", "SpeechMetadata", "SpeechInterrupted", "SessionMetadata"),
        *("ConfigureSuccess", "ConfigureFailure", "Warning", "Error"),
    ),
)
VLLM_OMNI = Protocol(
    _typed(
        {
            "session.config": {
                "voice": one_of("default", "英文女", "nobody", "aura-" + "apollo-" * 1000, "*", None),
                "language": one_of("English", "zh", "auto", "Klingon", None),
                "response_format": one_of("pcm", "wav", "flac", "mp3", "opus", "gif"),
                "sample_rate": one_of(8000, 24_000, 48_000, 0, None),
                "speed": one_of(0.5, 1.0, 2, 0, 1e9),
                "seed": one_of(7, -1, None, 1 << 70),
                "instructions": one_of("Slowly, please.", "", None),
                "ref_audio": recording,
                "ref_text": one_of("Hello.", None),
                "word_timestamps": one_of(True, False),
            },
            "input.text": {"text": one_of(*TEXTS)},
            "input.done": {},
            "session.close": {},
        }
    ),
    ("session.config", "input.text", "input.text", "input.text", "input.done", "input.done") * 8 + ("session.close",),
    types("audio.start", "audio.done", "session.done", "error", "warning"),
)
