"""The sound formats: their names, rates and media types. Pure."""

from __future__ import annotations

from dataclasses import dataclass

MIN_SAMPLE_RATE = 8000
MAX_SAMPLE_RATE = 48000


class FormatError(ValueError):
    """A format cannot be given. The message says what was expected and what was found."""


@dataclass(frozen=True)
class _Kind:
    media_type: str
    extension: str
    # The rates that it has, in Hz. None for every rate from MIN_SAMPLE_RATE to MAX_SAMPLE_RATE.
    rates: tuple[int, ...] | None = None


_OPUS_RATES = (8000, 12000, 16000, 24000, 48000)
_MPEG_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_TELEPHONE_RATES = (8000,)

_KINDS = {
    "aac": _Kind("audio/aac", "aac", rates=_MPEG_RATES),
    "alaw": _Kind("audio/x-alaw-basic", "alaw", rates=_TELEPHONE_RATES),
    "flac": _Kind("audio/flac", "flac"),
    "mp3": _Kind("audio/mpeg", "mp3", rates=_MPEG_RATES),
    "ogg_opus": _Kind("audio/ogg", "ogg", rates=_OPUS_RATES),
    "opus": _Kind("audio/opus", "opus", rates=_OPUS_RATES),
    "pcm_f32le": _Kind("audio/pcm", "f32"),
    "pcm_s16le": _Kind("audio/pcm", "pcm"),
    "ulaw": _Kind("audio/basic", "ulaw", rates=_TELEPHONE_RATES),
    "wav": _Kind("audio/wav", "wav"),
}
_ALIASES = {"f32le": "pcm_f32le", "mulaw": "ulaw", "ogg": "ogg_opus", "pcm": "pcm_s16le", "s16le": "pcm_s16le"}

FORMATS = tuple(_KINDS)


@dataclass(frozen=True)
class SoundFormat:
    """A format at a sample rate, for one channel. Made by `check_format`."""

    name: str
    sample_rate: int

    @property
    def media_type(self) -> str:
        """Its media type in HTTP."""
        return _KINDS[self.name].media_type

    @property
    def extension(self) -> str:
        """The ending of a file name, without the dot."""
        return _KINDS[self.name].extension


def sample_rates(name: str) -> tuple[int, ...] | None:
    """The rates of a format. None for every rate from MIN_SAMPLE_RATE to MAX_SAMPLE_RATE."""
    return _KINDS[name].rates


def check_format(name: str, sample_rate: int | None, native_rate: int) -> SoundFormat:
    """The format with this name or alias.

    If `sample_rate` is None, it is the model's rate. If the format does not have that, it is the next higher rate, or
    the highest. Raises FormatError for an unknown name, and for a rate that the format does not have.
    """
    known = _ALIASES.get(name, name)
    if known not in _KINDS:
        raise FormatError(f"format: expected one of {', '.join(FORMATS)}, found {name[:40]!r}")
    rates = _KINDS[known].rates
    if sample_rate is None:
        return SoundFormat(known, _default_rate(rates, native_rate))
    if rates is not None and sample_rate not in rates:
        raise FormatError(f"sample_rate: expected {_either(rates)} for {known}, found {short_number(sample_rate)}")
    if not MIN_SAMPLE_RATE <= sample_rate <= MAX_SAMPLE_RATE:
        expected = f"{MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE}"
        raise FormatError(f"sample_rate: expected {expected} for {known}, found {short_number(sample_rate)}")
    return SoundFormat(known, sample_rate)


def short_number(number: int) -> str:
    """The number as text for an error. Python refuses to print very long ones, so those are described."""
    return str(number) if number.bit_length() < 128 else f"one of {number.bit_length()} bits"


def _default_rate(rates: tuple[int, ...] | None, native_rate: int) -> int:
    if rates is None:
        return min(max(native_rate, MIN_SAMPLE_RATE), MAX_SAMPLE_RATE)
    return min((rate for rate in rates if rate >= native_rate), default=max(rates))


def _either(rates: tuple[int, ...]) -> str:
    *first, last = map(str, rates)
    return f"{', '.join(first)} or {last}" if first else last
