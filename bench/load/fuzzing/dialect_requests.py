"""HTTP requests of other makers' protocols: paths with their queries, and bodies that are right or nearly so."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from urllib.parse import quote, urlencode

from bench.load.fuzzing.dialect_frames import CARTESIA, DASHSCOPE
from bench.load.fuzzing.frames import Pairs, odd_value
from bench.load.fuzzing.protocol_frames import Fields, Protocol, one_of, types
from bench.load.fuzzing.turn_frames import recording

_TEXTS = ("Yes.", "no ", "三点一刻。", "😀", " ", "", "<b>x</b>", "1/2", "é" * 70)
_VOICES = ("default", "英文女", "nobody", "21m00Tcm4TlvDq8ikWAM", "aura-2-thalia-en", "*", "../..", "%00", "x" * 300)
_QUERIES: Mapping[str, Sequence[str]] = {
    "output_format": ("pcm_24000", "mp3_44100_128", "opus_48000_32", "ulaw_8000", "pcm_", "gif_1", "mp3_٢٤", "x" * 999),
    "language_code": ("en", "zh", "EN_us", "", "Klingon"),
    "model": _VOICES,
    "encoding": ("linear16", "mp3", "mulaw", "opus", "flac", "gif", ""),
    "container": ("none", "wav", "ogg", "gif"),
    "sample_rate": ("8000", "24000", "0", "-1", "٢٤٠٠٠", "9" * 5000),
    "speed": ("1", "0.5", "nan", "inf", "-1", "fast", "1e999"),
    "callback": ("http://evil.example",),
    "api_key": ("", "no"),
}
_SETTINGS: Fields = {"speed": one_of(0.5, 1, 1.3, 0, -1, 9, None, 1e308)}

OPENAI = Protocol(
    {
        "speech": {
            "input!": one_of(*_TEXTS),
            "voice": one_of(*_VOICES, None),
            "model": one_of("tts-1", None),
            "instructions": one_of("Slowly, please.", "", None),
            "response_format": one_of("pcm", "mp3", "opus", "aac", "flac", "wav", "gif", None),
            "speed": one_of(0.25, 1, 4.0, 0, 9, None),
            "stream_format": one_of("audio", "sse", "no", None),
            "stream": one_of(True, False, None),
            "sample_rate": one_of(8000, 24_000, 0, -1, None),
            "seed": one_of(7, -1, 1 << 70, None),
            "language": one_of("English", "zh", "auto", "Klingon", None),
            "task_type": one_of("CustomVoice", "Base", "VoiceDesign", None),
            "ref_audio": recording,
            "ref_text": one_of("Hello.", None),
            "x_vector_only_mode": one_of(True, False),
            "speaker_embedding": one_of(None, None, [0.5]),
        }
    },
    ("speech",),
    types(),
)
_ELEVENLABS = Protocol(
    {
        "speech": {
            "text!": one_of(*_TEXTS),
            "voice_settings": _SETTINGS,
            "language_code": one_of("en", "zh", "Klingon", "", None),
            "seed": one_of(7, -1, 1 << 70, None),
            "pronunciation_dictionary_locators": one_of([], [1], None),
        }
    },
    ("speech",),
    types(),
)
_DEEPGRAM = Protocol({"speech": {"text!": one_of(*_TEXTS)}}, ("speech",), types())
_DASHSCOPE = Protocol(
    {
        "speech": {
            "model": one_of("cosyvoice-v3"),
            "input!": {"text!": one_of(*_TEXTS), "voice": one_of(*_VOICES), "format": one_of("pcm", "mp3", "gif")},
            "parameters": {"rate": one_of(1.0, 0, 1e308), "sample_rate": one_of(8000, 0, -1)},
        }
    },
    ("speech",),
    types(),
)
_PATHS: tuple[tuple[str, Callable[[Random], str] | None], ...] = (
    ("/v1/audio/speech", OPENAI.draw),
    ("/v1/text-to-speech/{voice}", _ELEVENLABS.draw),
    ("/v1/text-to-speech/{voice}/stream", _ELEVENLABS.draw),
    ("/v1/text-to-speech/{voice}/with-timestamps", _ELEVENLABS.draw),
    ("/v1/text-to-speech/{voice}/stream/with-timestamps", _ELEVENLABS.draw),
    ("/tts/bytes", CARTESIA.draw),
    ("/tts/sse", CARTESIA.draw),
    ("/api/v1/services/audio/tts/SpeechSynthesizer", _DASHSCOPE.draw),
    ("/api/v1/services/audio/tts/SpeechSynthesizer", DASHSCOPE.draw),
    ("/v1/speak", _DEEPGRAM.draw),
    ("/v2/speak", _DEEPGRAM.draw),
    ("/v1/read", _DEEPGRAM.draw),
    ("/v1/voices", None),
    ("/v2/voices", None),
    ("/v1/voices/{voice}", None),
    ("/voices/{voice}", None),
    ("/v1/audio/voices", None),
    ("/v1/models/{voice}", None),
    ("/v1/capabilities", None),
)
_HEADERS = (("xi-api-key", ""), ("X-DashScope-SSE", "enable"), ("Cartesia-Version", "2025-04-16"))
_INFERENCES = ("sft", "zero_shot", "cross_lingual", "instruct", "instruct2")
_FORM_FIELDS = ("tts_text", "spk_id", "prompt_text", "instruct_text")


@dataclass(frozen=True)
class DialectRequest:
    """A request without what every request has."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes


def draw_dialect_request(rng: Random) -> DialectRequest:
    """A request of one of the protocols, most often a correct one."""
    if rng.random() < 0.15:
        return _inference(rng)
    path, draw = rng.choice(_PATHS)
    path = path.format(voice=quote(rng.choice(_VOICES), safe="%"))
    if rng.random() < 0.4:
        names = rng.sample(list(_QUERIES), rng.choice((1, 1, 2, 5)))
        path += "?" + urlencode({name: rng.choice(_QUERIES[name]) for name in names})
    headers = [header for header in _HEADERS if rng.random() < 0.2]
    if draw is None:
        return DialectRequest("GET", path, headers, b"")
    body = draw(rng).encode("utf-8", "surrogatepass")
    return DialectRequest("POST", path, [("Content-Type", "application/json"), *headers], body)


def _inference(rng: Random) -> DialectRequest:
    """A form of the original runtime. Its own client sends forms with GET."""
    path = f"/inference_{rng.choice(_INFERENCES)}"
    fields = {name: rng.choice(_TEXTS + _VOICES) for name in _FORM_FIELDS if rng.random() < 0.8}
    if rng.random() < 0.2:
        fields[rng.choice(_FORM_FIELDS)] = str(odd_value(rng) if rng.random() < 0.5 else Pairs([]))
    boundary = b"b0undary"
    parts = b"".join(
        b'--%s\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
        % (boundary, name.encode(), value.encode("utf-8", "replace"))
        for name, value in fields.items()
    )
    if rng.random() < 0.7:
        head = b'Content-Disposition: form-data; name="prompt_wav"; filename="a.wav"'
        parts += b"--%s\r\n%s\r\n\r\n%s\r\n" % (boundary, head, rng.randbytes(rng.randrange(200)))
    content_type = f"multipart/form-data; boundary={boundary.decode()}"
    method = rng.choice(("GET", "POST"))
    return DialectRequest(method, path, [("Content-Type", content_type)], parts + b"--%s--\r\n" % boundary)
