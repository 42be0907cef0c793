"""Checks a `start` message and turns it into the engine's request, or the error that answers it. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cosyvoice.config import MAX_SPEED, MIN_SPEED
from cosyvoice.errors import TextError
from cosyvoice.frontend.language import main_language
from cosyvoice.frontend.lexicon_entry import LexiconEntry, entry_of
from rtserver.audio.formats import FormatError, SoundFormat, check_format, short_number
from rtserver.ipc import engine
from rtserver.ipc.preparing import Recording
from rtserver.messages import wire
from rtserver.session.caller import Caller
from rtserver.session.limits import NAME_CHARS, SessionLimits
from rtserver.session.voice_names import VoiceNames

DEFAULT_MAX_LEAD_S = 5.0
MIN_TARGET_S, MAX_TARGET_S = 0.1, 3600.0
_MAX_SEED = (1 << 32) - 1
# Control characters but tab, newline and carriage return.
_CONTROL_CHARACTERS = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
# These, and halves of surrogate pairs, which have no UTF-8.
_BAD_CHARACTER = re.compile(rf"[{_CONTROL_CHARACTERS}\ud800-\udfff]")
# Good text, for a description of the API.
TEXT_PATTERN = f"^[^{_CONTROL_CHARACTERS}]*$"


@dataclass(frozen=True)
class Recordings:
    """The decoded audio fields of a `start`."""

    # Of `prompt_audio`.
    prompt: Recording | None = None
    # Of `source_audio`.
    source: Recording | None = None
    # False: only which recordings there are is known, to check the start before the samples are there.
    decoded: bool = True


NO_RECORDINGS = Recordings()


class RequestError(ValueError):
    """A client's request is refused. `code` is the error code on the wire."""

    def __init__(self, code: wire.Code, message: str) -> None:
        super().__init__(message)
        self.code: wire.Code = code


def check_name(field: str, name: str, *, empty: bool = False) -> None:
    """A name must be short and printable, because it comes back in answers and logs. Every dialect asks this of the
    names that its clients choose. Raises RequestError."""
    if len(name) > NAME_CHARS or not (name or empty) or not name.isprintable():
        least = 0 if empty else 1
        raise RequestError(
            "bad_message",
            f"{field}: expected {least} to {NAME_CHARS} printable characters, found {name[:60]!r:.60}",
        )


def check_text(field: str, text: str) -> None:
    """Refuses characters that speech cannot use: control characters other than tab, newline and carriage return, and
    halves of surrogate pairs. Raises RequestError."""
    if text.isprintable():  # true for most pieces of text, and found sooner
        return
    if (bad := _BAD_CHARACTER.search(text)) is not None:
        raise RequestError("bad_message", f"{field}: expected characters of text, found {bad[0]!r} at {bad.start()}")


def check_instruction(field: str, text: str, most_chars: int = SessionLimits.instruct_chars) -> None:
    """How to speak, or what a recording says. Raises RequestError."""
    if len(text) > most_chars:
        raise RequestError("bad_message", f"{field}: expected at most {most_chars} characters, found {len(text)}")
    check_text(field, text)


def check_more_text(before: int, text: str, limits: SessionLimits) -> None:
    """Refuses more text than a context may have, where it has had `before` characters, and text that speech cannot
    use. Raises RequestError."""
    if (found := before + len(text)) > limits.text_chars:
        what = f"expected at most {limits.text_chars} characters in a context, found {found}"
        raise RequestError("text_too_long", what)
    check_text("text", text)


def lexicon_of(raw: Sequence[object] | None, limits: SessionLimits) -> list[LexiconEntry]:
    """The entries of a request's `lexicon`. Raises RequestError, whose text gives the number of the entry, from 0."""
    if len(raw or ()) > limits.lexicon_entries:
        what = f"lexicon: expected at most {limits.lexicon_entries} entries, found {len(raw or ())}"
        raise RequestError("bad_message", what)
    entries: list[LexiconEntry] = []
    for number, one in enumerate(raw or ()):
        try:
            entry = entry_of(one)
        except TextError as error:
            raise RequestError("bad_message", f"lexicon[{number}]: {error}") from error
        for field in ("word", "say", "voice"):
            check_text(f"lexicon[{number}].{field}", getattr(entry, field))
        entries.append(entry)
    return entries


def engine_request(
    start: wire.Start,
    utterance: str,
    *,
    modes: tuple[str, ...],
    languages: tuple[str, ...],
    voice_names: VoiceNames,
    caller: Caller,
    new_seed: Callable[[], int],
    recordings: Recordings,
) -> engine.Open:
    """The engine's request for a `start`. `recordings`: its decoded audio fields. Raises RequestError."""
    limits = caller.limits
    if start.mode not in modes:
        raise RequestError("unknown_mode", f"mode: expected one of {', '.join(modes)}, found {start.mode[:40]!r:.40}")
    _check_recordings(start, recordings)
    if start.language not in ("auto", *languages):
        known = ", ".join(("auto", *languages))
        raise RequestError("bad_message", f"language: expected one of {known}, found {start.language[:40]!r:.40}")
    if not MIN_SPEED <= start.speed <= MAX_SPEED:  # NaN fails too
        raise RequestError("bad_message", f"speed: expected {MIN_SPEED} to {MAX_SPEED}, found {start.speed!r:.40}")
    if start.seed is not None and not 0 <= start.seed <= _MAX_SEED:
        raise RequestError("bad_message", f"seed: expected 0 to {_MAX_SEED}, found {short_number(start.seed)}")
    lead_s = start.max_lead_s
    if lead_s is None:
        lead_s = DEFAULT_MAX_LEAD_S if start.class_ == "realtime" else None
    elif not (math.isfinite(lead_s) and limits.min_lead_s <= lead_s <= limits.max_lead_s):
        raise RequestError(
            "bad_message", f"max_lead_s: expected {limits.min_lead_s} to {limits.max_lead_s}, found {lead_s!r:.40}"
        )
    check_name("voice", start.voice, empty=True)
    for field, value in (("instruct_text", start.instruct_text), ("prompt_text", start.prompt_text)):
        check_instruction(field, value, limits.instruct_chars)
    streaming = not (start.text and start.end) and start.mode != "vc"
    _check_target(start, streaming)
    language = start.language if start.language != "auto" else None
    if language is None and start.text.strip():
        language = main_language(start.text[: limits.text_chars], "en")  # a longer text is refused later
    return engine.Open(
        utterance=utterance,
        voice=voice_names.resolve(start.voice),
        mode=start.mode,
        language=language,
        seed=new_seed() if start.seed is None else start.seed,
        speed=start.speed,
        streaming=streaming,
        instruct_text=start.instruct_text,
        service_class=start.class_,
        max_lead_s=lead_s,
        prompt_audio=recordings.prompt,
        prompt_text=start.prompt_text,
        source_audio=recordings.source,
        target_s=start.target_s,
        tenant=caller.holder,
        reservation=caller.reservation,
    )


def sound_format(start: wire.Start, sample_rate: int, opus_problem: str | None = None) -> SoundFormat:
    """The format that the client receives. `sample_rate`: the model's, in Hz. `opus_problem`: why Opus cannot be given;
    None where it can. Raises RequestError."""
    try:
        sound = check_format(start.format, start.sample_rate, sample_rate)
    except FormatError as error:
        raise RequestError("unsupported_format", str(error)) from error
    if opus_problem is not None and sound.name in ("opus", "ogg_opus"):
        raise RequestError("unsupported_format", f"format: {opus_problem}")
    return sound


def _check_recordings(start: wire.Start, recordings: Recordings) -> None:
    if start.mode == "vc":
        if recordings.source is None:
            raise RequestError("bad_message", "mode vc: expected source_audio, found none")
        if start.text:
            raise RequestError("bad_message", "mode vc: expected no text, found some: it says source_audio again")
    elif recordings.source is not None:
        raise RequestError("bad_message", f"source_audio: expected it with mode vc alone, found mode {start.mode}")


def _check_target(start: wire.Start, streaming: bool) -> None:
    if start.target_s is None:
        return
    if not MIN_TARGET_S <= start.target_s <= MAX_TARGET_S:  # NaN fails too
        raise RequestError(
            "bad_message", f"target_s: expected {MIN_TARGET_S} to {MAX_TARGET_S}, found {start.target_s!r:.40}"
        )
    if streaming:
        raise RequestError("bad_message", "target_s: expected the whole text with the start (text and end), found none")
