"""Checks a `start` message: what a context was asked for, or the error that answers it. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from cosyvoice.config import MAX_SPEED, MIN_SPEED
from cosyvoice.frontend.language import main_language
from rtserver.limits import Limits
from rtserver.messages import engine, wire

DEFAULT_MAX_LEAD_S = 5.0
LANGUAGES = ("auto", "en", "zh")
_MAX_SEED = (1 << 32) - 1
_BAD_CHARACTER = re.compile("[\x00\ud800-\udfff]")


class RequestError(ValueError):
    """What a client asked for cannot be; `code` is the wire's."""

    def __init__(self, code: wire.Code, message: str) -> None:
        super().__init__(message)
        self.code: wire.Code = code


def check_name(field: str, name: str, limits: Limits, *, empty: bool = False) -> None:
    """Names come back in answers and logs: bounded, printable. Raises RequestError."""
    if len(name) > limits.name_chars or not (name or empty) or not name.isprintable():
        least = 0 if empty else 1
        raise RequestError(
            "bad_message",
            f"{field}: expected {least} to {limits.name_chars} printable characters, found {name[:60]!r:.60}",
        )


def check_text(text: str) -> None:
    """Refuses what JSON can carry and speech cannot use. Raises RequestError."""
    if (bad := _BAD_CHARACTER.search(text)) is not None:
        raise RequestError("bad_message", f"text: expected characters of speech, found {bad[0]!r} at {bad.start()}")


def engine_request(
    start: wire.Start,
    utterance: str,
    *,
    modes: tuple[str, ...],
    sample_rate: int,
    limits: Limits,
    new_seed: Callable[[], int],
) -> engine.Open:
    """The engine's side of a `start`. Raises RequestError."""
    if start.mode not in modes:
        raise RequestError("unknown_mode", f"mode: expected one of {', '.join(modes)}, found {start.mode[:40]!r:.40}")
    if start.prompt_audio is not None or start.source_audio is not None:
        raise RequestError("bad_audio", "prompt_audio, source_audio: this server takes no recordings yet")
    if start.language not in LANGUAGES:
        raise RequestError(
            "bad_message", f"language: expected one of {', '.join(LANGUAGES)}, found {start.language[:40]!r:.40}"
        )
    if start.format != "pcm_s16le":
        raise RequestError("unsupported_format", f"format: expected pcm_s16le, found {start.format[:40]!r:.40}")
    if start.sample_rate not in (None, sample_rate):
        raise RequestError(
            "unsupported_format", f"sample_rate: expected {sample_rate}, found {start.sample_rate!r:.40}"
        )
    if not MIN_SPEED <= start.speed <= MAX_SPEED:  # NaN is not either
        raise RequestError("bad_message", f"speed: expected {MIN_SPEED} to {MAX_SPEED}, found {start.speed!r:.40}")
    if start.seed is not None and not 0 <= start.seed <= _MAX_SEED:
        raise RequestError("bad_message", f"seed: expected 0 to {_MAX_SEED}, found {_short(start.seed)}")
    lead_s = start.max_lead_s
    if lead_s is None:
        lead_s = DEFAULT_MAX_LEAD_S if start.class_ == "realtime" else None
    elif not (math.isfinite(lead_s) and limits.min_lead_s <= lead_s <= limits.max_lead_s):
        raise RequestError(
            "bad_message", f"max_lead_s: expected {limits.min_lead_s} to {limits.max_lead_s}, found {lead_s!r:.40}"
        )
    for field, value in (
        ("voice", start.voice),
        ("instruct_text", start.instruct_text),
        ("prompt_text", start.prompt_text),
    ):
        if len(value) > limits.instruct_chars:
            raise RequestError(
                "bad_message", f"{field}: expected at most {limits.instruct_chars} characters, found {len(value)}"
            )
    language = start.language if start.language != "auto" else None
    if language is None and start.text.strip():
        language = main_language(start.text[: limits.text_chars], "en")  # a longer one is refused
    return engine.Open(
        utterance=utterance,
        voice=start.voice,
        mode=start.mode,
        language=language,
        seed=new_seed() if start.seed is None else start.seed,
        speed=start.speed,
        streaming=not (start.text and start.end),
        instruct_text=start.instruct_text,
        service_class=start.class_,
        max_lead_s=lead_s,
    )


def _short(number: int) -> str:
    """A number for a message; Python refuses to print very long ones."""
    return str(number) if number.bit_length() < 128 else f"one of {number.bit_length()} bits"
