"""Requests of `/ws/v1/tts` for the fuzzers: correct and wrong in many ways, drawn at random."""

from __future__ import annotations

import base64
from random import Random

import msgspec

from bench.load.fuzzing.frames import Pairs, changed_items, good_value, odd_value
from rtserver.wire.tts_v1.request import TtsRequest

FIELDS = tuple(field.encode_name for field in msgspec.structs.fields(TtsRequest))
# Short texts: the sound of a request is paced, and the next one waits for it.
_VALUES: dict[str, tuple[object, ...]] = {
    "text": ("Yes.", "no ", "三点一刻。", "😀", " ", "1/2", "<b>x</b>"),
    "mode": ("sft", "zero_shot", "cross_lingual", "instruct", "vc", "singing"),
    "speaker": ("default", "英文女", "nobody", ""),
    "voice_id": ("default", "英文女"),
    "prompt_wav_path": ("", "../../etc/passwd", "a.wav", "/dev/zero", "\N{NULL}.wav"),
    "source_wav_path": ("", "../a.wav", "~root/a.wav"),
    "stream": (True, False, "true"),
    "format": ("pcm_s16le", "pcm_f32le", "wav", "ogg_opus", "opus", "mp3", "aac", "flac", "ulaw", "alaw", "gif"),
    "sample_rate": (8000, 16_000, 24_000, 48_000, 0, 44_100),
    "target_s": (0.1, 1.0, 5.0, 1e9),
    "encoding": ("binary", "base64"),
    "seed": (0, 7, (1 << 32) - 1),
}


def _value(rng: Random, name: str) -> object:
    if name in ("prompt_audio", "source_audio"):
        return base64.b64encode(rng.randbytes(rng.randrange(200))).decode()
    return rng.choice(_VALUES[name]) if name in _VALUES else good_value(rng, name)


def good_request(rng: Random) -> Pairs:
    """A request with a text and some other fields."""
    items: list[tuple[object, object]] = [("text", _value(rng, "text"))]
    items += [(name, _value(rng, name)) for name in FIELDS[1:] if rng.random() < 0.08]
    return Pairs(items)


def changed_request(rng: Random) -> object:
    """A request whose values, keys or shape were changed."""
    shape = changed_items(rng, list(good_request(rng).items), FIELDS)
    return shape if rng.random() < 0.95 else rng.choice(([shape], Pairs([("text", shape)]), odd_value(rng)))
