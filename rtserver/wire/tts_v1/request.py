"""A speech request over HTTP, as JSON, as a form, or as a message of /ws/v1/tts. What validates it describes it: the
API's document is made from this class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from cosyvoice.config import MAX_SPEED, MIN_SPEED
from rtserver.http.body import Body, RecordingFields
from rtserver.messages import wire
from rtserver.session.limits import SessionLimits
from rtserver.session.start_request import MAX_TARGET_S, MIN_TARGET_S, TEXT_PATTERN, RequestError
from rtserver.uploads.source import from_base64
from rtserver.wire.opening import Opening

# The fields that may be recordings. Some clients send files under the names `prompt_wav` and `source_wav`.
_AUDIO_FIELDS = {"prompt_audio": "prompt", "source_audio": "source"}
RECORDINGS = RecordingFields(_AUDIO_FIELDS | {"prompt_wav": "prompt", "source_wav": "source"}, _AUDIO_FIELDS)

_TEXT = {"pattern": TEXT_PATTERN}  # described here, and checked with every text by the session
_PATH = "path of a recording on the server, below one of its audio folders"
_AUDIO = "recording (wav, mp3, flac, ogg, m4a) in base64; in a multipart form the file itself"


class TtsRequest(msgspec.Struct, forbid_unknown_fields=True, rename={"class_": "class"}):
    """What to say, and how."""

    text: Annotated[str, Meta(description="what to say; none with mode vc", extra_json_schema=_TEXT)] = ""
    mode: Annotated[str, Meta(description="sft, zero_shot, cross_lingual, instruct or vc, as far as the model can")] = (
        "sft"
    )
    speaker: Annotated[str | None, Meta(description="a voice or alias; see /v1/voices")] = None
    voice_id: Annotated[str | None, Meta(description="the same as speaker")] = None
    prompt_text: Annotated[
        str,
        Meta(
            max_length=SessionLimits.instruct_chars,
            description="what the voice prompt says",
            extra_json_schema=_TEXT,
        ),
    ] = ""
    prompt_wav_path: Annotated[str | None, Meta(description="voice prompt: " + _PATH)] = None
    prompt_audio: Annotated[str | None, Meta(description="voice prompt: " + _AUDIO)] = None
    instruct_text: Annotated[
        str,
        Meta(max_length=SessionLimits.instruct_chars, description="how to say it", extra_json_schema=_TEXT),
    ] = ""
    source_wav_path: Annotated[str | None, Meta(description="what mode vc says again: " + _PATH)] = None
    source_audio: Annotated[str | None, Meta(description="what mode vc says again: " + _AUDIO)] = None
    stream: Annotated[bool, Meta(description="sound as it is made instead of JSON")] = False
    speed: Annotated[float, Meta(ge=MIN_SPEED, le=MAX_SPEED)] = 1.0
    seed: Annotated[int, Meta(ge=0, le=(1 << 32) - 1, description="the same seed is the same take")] | None = None
    language: Annotated[
        Literal["auto", "en", "zh", "ja", "ko", "de", "es", "fr", "it", "ru"],
        Meta(description="of the text: en, zh, or another that the model speaks; auto: found clause by clause"),
    ] = "auto"
    format: Annotated[
        str | None,
        Meta(description="pcm_s16le, pcm_f32le, wav, ogg_opus, opus (WebSocket), mp3, aac, flac, ulaw, alaw"),
    ] = None
    sample_rate: Annotated[int | None, Meta(description="Hz; default: the model's, or the format's only one")] = None
    target_s: Annotated[
        Annotated[float, Meta(ge=MIN_TARGET_S, le=MAX_TARGET_S)] | None,
        Meta(description="how long it is to sound: the speed is chosen for it, within its bounds"),
    ] = None
    class_: Annotated[
        Literal["realtime", "batch"], Meta(description="batch yields to all realtime speech, and is not paced")
    ] = "realtime"
    markup: Annotated[bool, Meta(description="false: tags and brackets of SSML, HTML and the model are plain text")] = (
        True
    )
    lexicon: (
        Annotated[
            list[dict[str, Any]],
            Meta(
                max_length=SessionLimits.lexicon_entries,
                description="how some words are spoken: objects with word and one of say, cmu, pinyin; in a form JSON",
            ),
        ]
        | None
    ) = None
    encoding: Annotated[
        Literal["binary", "base64"], Meta(description="of sound on /ws/v1/tts: binary frames, or JSON")
    ] = "binary"

    @property
    def voice(self) -> str:
        return self.speaker or self.voice_id or "default"

    def check(self) -> None:
        """What no type says. Raises RequestError."""
        if self.speaker and self.voice_id and self.speaker != self.voice_id:
            raise RequestError("bad_message", "speaker, voice_id: expected one of them, found two that differ")
        for what in ("prompt", "source"):
            if getattr(self, f"{what}_wav_path") and getattr(self, f"{what}_audio"):
                raise RequestError("bad_message", f"{what}_wav_path, {what}_audio: expected one of them, found both")
        if not self.text and self.mode != "vc":
            raise RequestError("bad_message", "text: expected something to say, found none")

    def opening(self, files: Mapping[str, bytes], *, sound: str, upload_bytes: int, paced: bool = True) -> Opening:
        """What opens a context for it; `sound` is the format where none was asked for, `files` are recordings that came
        beside it. `paced`: work waits for the listener, which is of no use to one who gets a whole file. Raises
        UploadError for what is no base64; it takes milliseconds where a recording is in the request."""
        prompt = files["prompt"] if "prompt" in files else _recording(self.prompt_audio, upload_bytes)
        source = files["source"] if "source" in files else _recording(self.source_audio, upload_bytes)
        unbounded = None if self.class_ == "batch" else SessionLimits.max_lead_s
        start = wire.Start(
            voice=self.voice,
            mode=self.mode,
            language=self.language,
            format=self.format or sound,
            sample_rate=self.sample_rate,
            speed=self.speed,
            markup=self.markup,
            seed=self.seed,
            instruct_text=self.instruct_text,
            prompt_text=self.prompt_text,
            prompt_audio=prompt,
            source_audio=source,
            class_=self.class_,
            max_lead_s=None if paced else unbounded,
            target_s=self.target_s,
            lexicon=self.lexicon,
            text=self.text,
            end=True,
        )
        return Opening(start, self.prompt_wav_path or None, self.source_wav_path or None)


_JSON = msgspec.json.Decoder(TtsRequest)


def from_json(body: bytes | bytearray | str) -> TtsRequest:
    """Raises RequestError."""
    try:
        return _checked(_JSON.decode(body))
    except (ValueError, RecursionError) as error:
        if isinstance(error, RequestError):
            raise
        raise _refusal(error) from error


def from_body(body: Body) -> TtsRequest:
    """A request over HTTP; in a form numbers and booleans are words. Raises RequestError."""
    request = _from_fields(body.fields) if body.json is None else from_json(body.json)
    for what in body.files:
        if getattr(request, f"{what}_audio") or getattr(request, f"{what}_wav_path"):
            raise RequestError("bad_message", f"{what}: expected one recording, found two")
    return request


def _from_fields(fields: Mapping[str, str]) -> TtsRequest:
    asked: dict[str, Any] = dict(fields)
    try:
        if "lexicon" in asked:
            asked["lexicon"] = msgspec.json.decode(asked["lexicon"])
        return _checked(msgspec.convert(asked, TtsRequest, strict=False))
    except (ValueError, RecursionError) as error:
        if isinstance(error, RequestError):
            raise
        raise _refusal(error) from error


def _checked(request: TtsRequest) -> TtsRequest:
    request.check()
    return request


def _refusal(error: Exception) -> RequestError:
    text = str(error)[:300]
    return RequestError("unknown_field" if "unknown field" in text else "bad_message", text)


def _recording(base64: str | None, upload_bytes: int) -> bytes | None:
    return from_base64(base64, upload_bytes) if base64 else None
