"""Frames for the sockets of ElevenLabs, Cartesia, DashScope and LiveKit's inference."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from bench.load.fuzzing.frames import Odd, Pairs
from bench.load.fuzzing.protocol_frames import TEXTS, Fields, Protocol, one_of, types

_IDS = ("a", "b", "回合", "", "x" * 300)
_VOICES = ("default", "英文女", "nobody", "21m00Tcm4TlvDq8ikWAM", "694f9389-aac1-45b6-b726-9d9369183238", "*", None)
_LANGUAGES = ("en", "zh", "en-US", "Klingon", "", None)
_RATES = (8000, 22_050, 24_000, 48_000, 0, -1, None)
_SPEEDS = (0.5, 1, 1.3, 2.0, 0, -1, 9, 1e308, None, Odd("1e400", b""))


def _words(rng: Random) -> object:
    """As DashScope's clients say how words are spoken."""
    pairs = [(rng.choice(("live", "重", "", "x" * 200)), rng.choice(("laiv", "chong2", "", 7))) for _ in range(2)]
    return [Pairs([pair]) for pair in pairs][: rng.randrange(3)]


def _elevenlabs_told(message: Mapping[str, Any]) -> tuple[str, str | None]:
    if "error" in message:
        assert isinstance(message["message"], str) and message["code"] == 1008
        return "error", str(message["error"]).partition(":")[0]
    if "warning" in message:
        return "warning", None
    return "final" if message["isFinal"] else "sound" if message["audio"] else "alignment", None


def _cartesia_told(message: Mapping[str, Any]) -> tuple[str, str | None]:
    kind = str(message["type"])
    if kind not in ("chunk", "timestamps", "flush_done", "done", "error"):
        raise ValueError(f"unknown type {kind}")
    return kind, str(message["error_code"]) if kind == "error" else None


def _dashscope_told(message: Mapping[str, Any]) -> tuple[str, str | None]:
    header = message["header"]
    kind = str(header["event"])
    if kind not in ("task-started", "result-generated", "task-finished", "task-failed"):
        raise ValueError(f"unknown event {kind}")
    return kind, str(header["error_code"]) if kind == "task-failed" else None


_SETTINGS: Fields = {"speed": one_of(*_SPEEDS), "stability": one_of(0.5, None, "high")}
_INPUT: Fields = {
    "text!": one_of(*TEXTS),
    "context_id": one_of(*_IDS, None),
    "voice_settings": _SETTINGS,
    "flush": one_of(True, False, None),
}
_LOCATORS: Fields = {"text!": one_of(" ", "Yes. "), "pronunciation_dictionary_locators": one_of([], [1], None)}
ELEVENLABS = Protocol(
    {
        "input": _INPUT,
        "first": _LOCATORS,
        "camel": {"text!": one_of(*TEXTS), "contextId!": one_of(*_IDS)},
        "close": {"context_id": one_of(*_IDS), "close_context!": one_of(True)},
        "close_socket": {"close_socket!": one_of(True)},
        "end": {"text!": one_of("")},
        "key": {"text": one_of("Yes."), "xi_api_key": one_of("no", "x" * 5000), "authorization": one_of("Bearer", "")},
    },
    ("input", "input", "input", "input", "first", "camel", "close", "key") * 10 + ("close_socket", "end"),
    _elevenlabs_told,
)

_VOICE: Fields = {
    "id": one_of(*_VOICES),
    "mode": one_of("id", "embedding"),
    "__experimental_controls": {"speed": one_of(*_SPEEDS, "fast", "slowest", "no")},
}
_OUTPUT: Fields = {
    "container!": one_of(*("raw",) * 12, "wav", "mp3", "gif"),
    "encoding!": one_of(*("pcm_s16le",) * 6, "pcm_f32le", "pcm_mulaw", "pcm_alaw", "gif", None),
    "sample_rate": one_of(*(24_000,) * 6, *_RATES),
}
CARTESIA = Protocol(
    {
        "text": {
            "context_id!": one_of(*_IDS),
            "transcript!": one_of(*TEXTS),
            "voice": _VOICE,
            "output_format!": _OUTPUT,
            "language": one_of(*_LANGUAGES),
            "continue": one_of(True, True, False, None),
            "flush": one_of(True, False, None),
            "max_buffer_delay_ms": one_of(0, 300, -1, None, 1e308),
            "add_timestamps": one_of(True, False),
            "generation_config": {"speed": one_of(*_SPEEDS)},
            "speed": one_of("fast", "normal", "no", *_SPEEDS),
        },
        "plain": {
            "context_id!": one_of(*_IDS[:3]),
            "transcript!": one_of(*TEXTS),
            "voice!": {"id!": one_of("default"), "mode!": one_of("id")},
            "output_format!": {"container!": one_of("raw"), "encoding!": one_of("pcm_s16le")},
            "continue!": one_of(True, False),
        },
        "cancel": {"context_id": one_of(*_IDS), "cancel!": one_of(True)},
    },
    ("text", "plain", "plain", "cancel"),
    _cartesia_told,
)

_TASKS = ("t1", "t1", "t1", "t2", "", "x" * 300)
_PARAMETERS: Fields = {
    "voice": one_of(*_VOICES[:2], *_VOICES, "longanyang"),
    "format": one_of("pcm", "pcm", "wav", "mp3", "opus", "Default", "gif"),
    "sample_rate": one_of(24_000, *_RATES),
    "rate": one_of(1.0, 1.2, *_SPEEDS),
    "seed": one_of(0, 7, -1, 1 << 70),
    "instruction": one_of("Slowly, please.", "", None),
    "language_hints": one_of(["en"], ["zh", "en"], [], None, ["Klingon"]),
    "word_timestamp_enabled": one_of(True, False),
}
DASHSCOPE = Protocol(
    {
        "run": {
            "header!": {
                "action!": one_of("run-task"),
                "task_id!": one_of(*_TASKS),
                "streaming": one_of("duplex", "duplex", "out", "in"),
            },
            "payload": {
                "parameters": {**_PARAMETERS, "hot_fix": {"pronunciation": _words, "replace": _words}},
                "input": {"text": one_of(*TEXTS)},
            },
        },
        "plain": {"header!": {"action!": one_of("run-task"), "task_id!": one_of("t1")}},
        "continue": {
            "header!": {"action!": one_of("continue-task"), "task_id!": one_of(*_TASKS)},
            "payload!": {"input!": {"text": one_of(*TEXTS), "flush": one_of(True, False)}},
        },
        "finish": {
            "header!": {"action!": one_of("finish-task"), "task_id!": one_of(*_TASKS)},
            "payload!": {"input!": {"directive": one_of("cancel", "", None)}},
        },
    },
    ("run", "plain", "plain", "continue", "continue", "continue", "finish"),
    _dashscope_told,
)

LIVEKIT = Protocol(
    {
        "create": {
            "type!": one_of("session.create"),
            "voice": one_of(*_VOICES),
            "language": one_of(*_LANGUAGES),
            "encoding": one_of("pcm_s16le", "pcm_s16le", "mp3"),
            "sample_rate": one_of("24000", "8000", "no", "", "٢٤٠٠٠", "1" * 5000, *_RATES),
        },
        "text": {
            "type!": one_of("input_transcript"),
            "transcript!": one_of(*TEXTS),
            "generation_config": {"voice": one_of(*_VOICES), "language": one_of(*_LANGUAGES)},
        },
        "flush": {"type!": one_of("session.flush")},
    },
    ("create", "text", "text", "text", "flush"),
    types("session.created", "output_audio", "output_alignment", "done", "error"),
)
