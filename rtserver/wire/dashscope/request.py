"""What the parameters of DashScope's clients ask for, as a start of the session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rtserver.audio.formats import FormatError, SoundFormat, check_format
from rtserver.messages import wire
from rtserver.session.start_request import RequestError, check_instruction
from rtserver.session.voice_names import VoiceNames
from rtserver.wire.dashscope.messages import HotFix, Parameters
from rtserver.wire.languages import asked_language

_FORMATS = {"default": "mp3", "mp3": "mp3", "pcm": "pcm_s16le", "wav": "wav", "opus": "ogg_opus"}
# The rate of sound for which the client names none, in Hz.
_USUAL_RATE_HZ = 22050


@dataclass(frozen=True)
class TaskOffer:
    """What this server can give."""

    # The rate of the model's sound, in Hz.
    sample_rate: int
    # The languages that it speaks.
    languages: Sequence[str]
    # Its modes.
    modes: Sequence[str]
    # The voices that it knows.
    voices: VoiceNames

    def start(self, asked: Parameters, context: str = wire.DEFAULT_CONTEXT) -> wire.Start:
        """A start without text. Raises RequestError."""
        voice = asked.voice or "default"
        if not self.voices.knows(voice):
            what = "expected a voice of this server (GET /v1/voices), or one of CosyVoice's such as longanyang"
            raise RequestError("unknown_voice", f"voice: {what}, found {voice[:60]!r:.60}")
        sound = self._sound(asked)
        check_instruction("instruction", asked.instruction or "")  # a socket keeps it for all its tasks
        instruction = (asked.instruction or "") if "instruct" in self.modes else ""
        return wire.Start(
            context=context,
            voice=voice,
            mode="instruct" if instruction else "sft",
            language=asked_language(next(iter(asked.language_hints or ()), None), self.languages),
            format=sound.name,
            sample_rate=sound.sample_rate,
            speed=asked.rate,
            seed=asked.seed or None,
            instruct_text=instruction,
            lexicon=None if asked.hot_fix is None else _lexicon(asked.hot_fix),
        )

    def _sound(self, asked: Parameters) -> SoundFormat:
        name = _FORMATS.get(asked.format.lower())
        if name is None:
            found = asked.format[:40]
            raise RequestError("unsupported_format", f"format: expected one of {', '.join(_FORMATS)}, found {found!r}")
        try:
            return check_format(name, asked.sample_rate or _usual_rate(name), self.sample_rate)
        except FormatError as error:
            raise RequestError("unsupported_format", str(error)) from error


def _usual_rate(format_name: str) -> int | None:
    """None: the format's rate that is nearest to the model's, because Opus has no 22050 Hz."""
    return None if format_name == "ogg_opus" else _USUAL_RATE_HZ


def _lexicon(hot_fix: HotFix) -> list[dict[str, str]]:
    spoken = [("pinyin", hot_fix.pronunciation), ("say", hot_fix.replace)]
    return [{"word": word, kind: said} for kind, fixes in spoken for fix in fixes for word, said in fix.items()]
