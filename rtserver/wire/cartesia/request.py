"""What a request of Cartesia's clients asks for, as a start of the session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cosyvoice.config import MAX_SPEED, MIN_SPEED
from rtserver.audio.formats import FormatError, SoundFormat, check_format
from rtserver.messages import wire
from rtserver.session.start_request import RequestError
from rtserver.session.voice_names import VoiceNames
from rtserver.wire.cartesia.messages import Generation, OutputFormat, VoiceChoice
from rtserver.wire.languages import asked_language

_ENCODINGS = {"pcm_s16le": "pcm_s16le", "pcm_f32le": "pcm_f32le", "pcm_mulaw": "ulaw", "pcm_alaw": "alaw"}
_FILES = {"wav": "wav", "mp3": "mp3"}
# The speeds that older clients name.
_SPEEDS = {"slowest": 0.6, "slow": 0.8, "normal": 1.0, "fast": 1.2, "fastest": 1.4}
# Older clients give the speed as -1 to 1.
_SPEED_PER_CONTROL = 0.4


@dataclass(frozen=True)
class SpeechOffer:
    """What this server can give."""

    # The rate of the model's sound, in Hz.
    sample_rate: int
    # The languages that it speaks.
    languages: Sequence[str]
    # The voices that it knows.
    voices: VoiceNames

    def start(self, generation: Generation, context: str = wire.DEFAULT_CONTEXT, *, files: bool = False) -> wire.Start:
        """A start without text. files: whether the sound may be a file. Raises RequestError."""
        sound = self._sound(generation.output_format, files)
        return wire.Start(
            context=context,
            voice=self._voice(generation.voice),
            language=asked_language(generation.language or generation.locale, self.languages),
            format=sound.name,
            sample_rate=sound.sample_rate,
            speed=_speed(generation),
            marks=bool(generation.add_timestamps),
        )

    def _voice(self, asked: str | VoiceChoice | None) -> str:
        if isinstance(asked, VoiceChoice):
            if asked.mode != "id":
                raise RequestError("bad_message", f"voice.mode: expected id, found {asked.mode[:40]!r:.40}")
            asked = asked.id
        name = asked or "default"
        if not self.voices.knows(name):
            what = "expected an id of GET /voices, or one of Cartesia's (a UUID)"
            raise RequestError("unknown_voice", f"voice: {what}, found {name[:60]!r:.60}")
        return name

    def _sound(self, asked: OutputFormat, files: bool) -> SoundFormat:
        containers = ("raw", *_FILES) if files else ("raw",)
        if asked.container not in containers:
            raise _unexpected("container", containers, asked.container)
        if asked.container == "raw" and asked.encoding not in _ENCODINGS:
            raise _unexpected("encoding", tuple(_ENCODINGS), asked.encoding)
        name = _FILES.get(asked.container) or _ENCODINGS[asked.encoding or ""]
        try:
            return check_format(name, asked.sample_rate, self.sample_rate)
        except FormatError as error:
            raise RequestError("unsupported_format", f"output_format: {error}") from error


def _speed(generation: Generation) -> float:
    if generation.generation_config is not None and generation.generation_config.speed is not None:
        speed = generation.generation_config.speed
        if not MIN_SPEED <= speed <= MAX_SPEED:  # NaN fails too
            what = f"expected {MIN_SPEED} to {MAX_SPEED}, found {speed}"
            raise RequestError("bad_message", f"generation_config.speed: {what}")
        return speed
    control = generation.speed
    if isinstance(generation.voice, VoiceChoice) and generation.voice.controls is not None:
        control = generation.voice.controls.speed
    if isinstance(control, str):
        if control not in _SPEEDS:
            raise RequestError("bad_message", f"speed: expected {', '.join(_SPEEDS)}, found {control[:40]!r:.40}")
        return _SPEEDS[control]
    if control is None:
        return 1.0
    if not -1 <= control <= 1:
        raise RequestError("bad_message", f"speed: expected -1 to 1, found {control}")
    return 1.0 + _SPEED_PER_CONTROL * control


def _unexpected(field: str, known: Sequence[str], found: str | None) -> RequestError:
    what = f"expected one of {', '.join(known)}, found {found and found[:40]!r:.40}"
    return RequestError("unsupported_format", f"output_format.{field}: {what}")
