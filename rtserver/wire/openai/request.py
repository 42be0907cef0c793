"""The body of `POST /v1/audio/speech`: OpenAI's fields, and those that vllm-omni adds. Unknown fields are ignored, as
OpenAI does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import Meta

from cosyvoice.config import MAX_SPEED, MIN_SPEED
from rtserver.http.body import Body, RecordingFields
from rtserver.messages import wire
from rtserver.session.limits import SessionLimits
from rtserver.session.start_request import TEXT_PATTERN, RequestError
from rtserver.uploads.source import from_base64
from rtserver.wire.opening import Opening

_AUDIO_FIELDS = {"ref_audio": "prompt"}
RECORDINGS = RecordingFields(_AUDIO_FIELDS, _AUDIO_FIELDS)

# The rate that clients expect of sound without a header.
PCM_RATE_HZ = 24000
# OpenAI's names of formats that have another name here.
_FORMATS = {"pcm": "pcm_s16le", "opus": "ogg_opus"}
# As vllm-omni calls them.
_LANGUAGES = {
    **{"chinese": "zh", "english": "en", "japanese": "ja", "korean": "ko", "german": "de", "spanish": "es"},
    **{"french": "fr", "italian": "it", "russian": "ru"},
}
_TEXT = {"pattern": TEXT_PATTERN}


class VoiceId(msgspec.Struct):
    """A voice by its id."""

    id: str


class SpeechRequest(msgspec.Struct):
    """What to say, and how."""

    input: Annotated[str, Meta(min_length=1, description="what to say", extra_json_schema=_TEXT)]
    voice: Annotated[str | VoiceId | None, Meta(description="a voice or alias; see /v1/audio/voices")] = None
    model: Annotated[str | None, Meta(description="any name: the server speaks with its own model")] = None
    instructions: Annotated[str | None, Meta(description="how to say it", extra_json_schema=_TEXT)] = None
    response_format: Annotated[
        str | None, Meta(description="mp3, opus (in Ogg), aac (ADTS), flac, wav, pcm (16 bits, 24 kHz)")
    ] = None
    speed: Annotated[
        Annotated[float, Meta(ge=0.25, le=4.0)] | None,
        Meta(description=f"outside {MIN_SPEED} to {MAX_SPEED} the nearest of these is taken, with a warning"),
    ] = None
    stream_format: Annotated[
        Literal["audio", "sse"] | None, Meta(description="sound as it is, or base64 in server-sent events")
    ] = None
    stream: Annotated[bool | None, Meta(description="true means sse, where no stream_format is given")] = None
    sample_rate: Annotated[int | None, Meta(description="Hz; default: the model's, or 24000 for pcm")] = None
    seed: Annotated[Annotated[int, Meta(ge=0, le=(1 << 32) - 1)] | None, Meta(description="of the take")] = None
    language: Annotated[str | None, Meta(description="English, en, en-US, Auto and the like")] = None
    markup: Annotated[bool, Meta(description="false: tags and brackets are plain text")] = True
    task_type: Annotated[
        str | None, Meta(description="CustomVoice, or Base for the voice of ref_audio; it need not be given")
    ] = None
    ref_audio: Annotated[
        str | None,
        Meta(description="a recording whose voice is used: base64, a data: URL, or a file: URL in an audio folder"),
    ] = None
    ref_text: Annotated[str | None, Meta(description="what ref_audio says", extra_json_schema=_TEXT)] = None
    x_vector_only_mode: Annotated[bool | None, Meta(description="true: ref_text is not used")] = None
    speaker_embedding: Annotated[Any, Meta(description="not possible")] = None


@dataclass(frozen=True)
class Asked:
    """A request that can be tried."""

    opening: Opening
    # Whether the sound comes in server-sent events.
    in_events: bool
    # What is not done of what was asked for.
    warnings: Sequence[str]


def from_body(body: Body) -> SpeechRequest:
    """In a form numbers and booleans are words. Raises RequestError."""
    try:
        if body.json is None:
            return msgspec.convert(body.fields, SpeechRequest, strict=False)
        return msgspec.json.decode(body.json, type=SpeechRequest)
    except (ValueError, RecursionError) as error:
        raise RequestError("bad_message", str(error)[:300]) from error


def asked(request: SpeechRequest, files: Mapping[str, bytes], *, modes: Sequence[str], upload_bytes: int) -> Asked:
    """What a request asks for. `files` are recordings that came beside it, `modes` those of the model. Raises
    RequestError, and UploadError for a recording that is no base64."""
    recording, path = files.get("prompt"), None
    if recording is None and request.ref_audio:
        recording, path = _recording(request.ref_audio, upload_bytes)
    clones = recording is not None or path is not None
    _check_task(request, clones)
    warnings: list[str] = []
    instructions = _instructions(request, modes, warnings)
    in_events = request.stream_format == "sse" or (request.stream_format is None and bool(request.stream))
    format_ = (request.response_format or "mp3").lower()
    is_pcm = format_ == "pcm"
    mode = _mode(request, clones, bool(instructions))
    start = wire.Start(
        voice=_voice(request) if not clones else "default",
        mode=mode,
        language=_language(request.language),
        markup=request.markup,
        format=_FORMATS.get(format_, format_),
        sample_rate=request.sample_rate or (PCM_RATE_HZ if is_pcm else None),
        speed=_speed(request.speed, warnings),
        seed=request.seed,
        instruct_text=instructions,
        prompt_text=(request.ref_text or "") if mode == "zero_shot" else "",
        prompt_audio=recording,
        # A client that takes events or samples plays them as they come. One that takes a file waits for its end.
        max_lead_s=None if in_events or is_pcm else SessionLimits.max_lead_s,
        marks=False,
        text=request.input,
        end=True,
    )
    return Asked(Opening(start, path), in_events, warnings)


def _voice(request: SpeechRequest) -> str:
    voice = request.voice.id if isinstance(request.voice, VoiceId) else request.voice
    return voice or "default"


def _recording(audio: str, upload_bytes: int) -> tuple[bytes | None, str | None]:
    """The bytes, or the path of a file on the server."""
    scheme = audio[:8].lower()
    if scheme.startswith(("http:", "https:")):
        what = "expected base64, a data: URL or a file: URL, found the URL of another host: nothing is fetched"
        raise RequestError("bad_audio", f"ref_audio: {what}")
    if scheme.startswith("file:"):
        try:
            return None, unquote(urlsplit(audio).path)
        except ValueError as error:
            raise RequestError("bad_audio", f"ref_audio: expected a file: URL, found {audio[:60]!r:.60}") from error
    return from_base64(audio, upload_bytes), None


def _check_task(request: SpeechRequest, clones: bool) -> None:
    task = (request.task_type or "").lower()
    if task == "voicedesign":
        raise RequestError("bad_message", "task_type: expected CustomVoice or Base, found VoiceDesign")
    if task == "base" and not clones:
        raise RequestError("bad_message", "task_type: expected ref_audio with Base, found none")
    if request.speaker_embedding is not None:
        raise RequestError("bad_message", "speaker_embedding: expected a voice or ref_audio, found numbers")


def _mode(request: SpeechRequest, clones: bool, instructed: bool) -> str:
    if instructed:
        return "instruct"
    if not clones:
        return "sft"
    return "zero_shot" if request.ref_text and not request.x_vector_only_mode else "cross_lingual"


def _instructions(request: SpeechRequest, modes: Sequence[str], warnings: list[str]) -> str:
    wanted = (request.instructions or "").strip()
    if wanted and "instruct" not in modes:
        warnings.append("instructions: the model follows none")
        return ""
    most = SessionLimits.instruct_chars
    if len(wanted) > most:
        warnings.append(f"instructions: the first {most} characters of {len(wanted)} are used")
    return wanted[:most]


def _language(name: str | None) -> str:
    known = (name or "auto").strip().lower()
    return _LANGUAGES.get(known, known.replace("_", "-").partition("-")[0])


def _speed(speed: float | None, warnings: list[str]) -> float:
    if speed is None:
        return 1.0
    possible = min(max(speed, MIN_SPEED), MAX_SPEED)
    if possible != speed:
        warnings.append(f"speed: {possible:g} in place of {speed:g}, which is outside {MIN_SPEED:g} to {MAX_SPEED:g}")
    return possible
