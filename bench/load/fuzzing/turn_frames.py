"""Frames for the sockets of turns, Deepgram's and vllm-omni's: correct and wrong in many ways, drawn at random."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from bench.load.fuzzing.frames import Odd, Pairs, as_json, changed_items, damaged, odd_value

_TEXTS = ("Yes. ", "no ", "三点一刻。", "😀", " ", "", "1/2", "é" * 70)
Value = Callable[[Random], object]


def _any(*values: object) -> Value:
    return lambda rng: rng.choice(values)


def _recording(rng: Random) -> object:
    data = base64.b64encode(rng.randbytes(rng.randrange(200))).decode()
    return rng.choice((None, data, f"data:audio/wav;base64,{data}", "file:///etc/passwd", "http://a/b.wav"))


def _offset(rng: Random) -> object:
    return Pairs([("type", "time_ms"), ("value", rng.choice((0, -1, 900.5, 1e308, Odd("1e400", b""))))])


@dataclass(frozen=True)
class Turns:
    """What one protocol's messages are."""

    # The fields of each message, by its type, with their values.
    messages: dict[str, dict[str, Value]]
    # The types by how often they are sent.
    usual: Sequence[str]
    # The types of what the server says.
    told: frozenset[str]

    def draw(self, rng: Random) -> str:
        """A message, most often a correct one."""
        chance = rng.random()
        kind = rng.choice(self.usual)
        items: list[tuple[object, object]] = [("type", kind)]
        items += [(name, value(rng)) for name, value in self.messages[kind].items() if rng.random() < 0.7]
        if chance < 0.6:
            return as_json(Pairs(items), rng.random() < 0.5)
        names = [name for fields in self.messages.values() for name in fields]
        shape: object = changed_items(rng, items, names)
        if chance > 0.97:
            shape = rng.choice(([shape], odd_value(rng), Odd("[" * 2000, b""), Odd('{"type":' * 900, b"")))
        text = as_json(shape, rng.random() < 0.5)
        if chance > 0.85:
            return damaged(rng, text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogateescape")
        return text


_SPEAK: dict[str, dict[str, Value]] = {"Speak": {"text": _any(*_TEXTS)}, "Flush": {}, "Close": {}}
AURA = Turns(
    {**_SPEAK, "Clear": {}},
    ("Speak", "Speak", "Speak", "Flush", "Flush", "Clear") * 8 + ("Close",),
    frozenset({"Metadata", "Flushed", "Cleared", "Warning", "Error"}),
)
FLUX = Turns(
    {
        **_SPEAK,
        "Interrupt": {"playback_offset": _offset},
        "Configure": {"speed": _any(0.5, 1, 1.3, 2, 9, -1, None, "fast")},
    },
    ("Speak", "Speak", "Speak", "Flush", "Flush", "Interrupt", "Configure") * 8 + ("Close",),
    frozenset(
        {"Connected", "SpeechStarted", "Flushed", "SpeechMetadata", "SpeechInterrupted", "SessionMetadata"}
        | {"ConfigureSuccess", "ConfigureFailure", "Warning", "Error"}
    ),
)
VLLM_OMNI = Turns(
    {
        "session.config": {
            "voice": _any("default", "英文女", "nobody", "aura-" + "apollo-" * 1000, "*", None),
            "language": _any("English", "zh", "auto", "Klingon", None),
            "response_format": _any("pcm", "wav", "flac", "mp3", "opus", "gif"),
            "sample_rate": _any(8000, 24_000, 48_000, 0, None),
            "speed": _any(0.5, 1.0, 2, 0, 1e9),
            "seed": _any(7, -1, None, 1 << 70),
            "instructions": _any("Slowly, please.", "", None),
            "ref_audio": _recording,
            "ref_text": _any("Hello.", None),
            "word_timestamps": _any(True, False),
        },
        "input.text": {"text": _any(*_TEXTS)},
        "input.done": {},
        "session.close": {},
    },
    ("session.config", "input.text", "input.text", "input.text", "input.done", "input.done") * 8 + ("session.close",),
    frozenset({"audio.start", "audio.done", "session.done", "error", "warning"}),
)
