"""What the fields of `POST /v1/audio/speech` mean."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest

from rtserver.http.body import Body
from rtserver.messages import wire
from rtserver.session.start_request import RequestError
from rtserver.uploads.errors import UploadError
from rtserver.wire.openai.request import Asked, asked, from_body

MODES = ("sft", "zero_shot", "cross_lingual", "instruct")
SOUND = b"RIFF and so on"
BASE64 = base64.b64encode(SOUND).decode()


def ask(*, modes: tuple[str, ...] = MODES, files: dict[str, bytes] | None = None, **fields: Any) -> Asked:
    body = Body(msgspec.json.encode({"input": "Hello.", "model": "tts-1", "voice": "alloy"} | fields))
    return asked(from_body(body), files or {}, modes=modes, upload_bytes=1000)


def start(**fields: Any) -> wire.Start:
    return ask(**fields).opening.start


def test_a_plain_request_is_a_whole_text_as_mp3() -> None:
    """OpenAI's defaults; the model's name has no effect."""
    found = ask(model="gpt-4o-mini-tts")
    assert found.opening.start == wire.Start(
        voice="alloy", format="mp3", max_lead_s=3600.0, marks=False, text="Hello.", end=True
    )
    assert not found.in_events and not found.warnings and found.opening.prompt_path is None


def test_markup_can_be_turned_off() -> None:
    """As in the requests of our own protocols."""
    assert start().markup and not start(markup=False).markup


@pytest.mark.parametrize(
    ("name", "format_", "rate_hz"),
    [
        ("pcm", "pcm_s16le", 24000),
        ("opus", "ogg_opus", None),
        ("wav", "wav", None),
        ("flac", "flac", None),
        ("aac", "aac", None),
        ("MP3", "mp3", None),
    ],
)
def test_each_format_has_its_name(name: str, format_: str, rate_hz: int | None) -> None:
    """Samples without a header are 24 kHz, because clients take that for granted."""
    found = start(response_format=name)
    assert (found.format, found.sample_rate) == (format_, rate_hz)
    assert start(response_format=name, sample_rate=16000).sample_rate == 16000


def test_only_what_is_played_as_it_comes_is_paced() -> None:
    """Samples and events wait for the listener; a file is made as fast as can be."""
    assert start(response_format="pcm").max_lead_s is None
    assert start(response_format="mp3", stream_format="sse").max_lead_s is None
    assert start(response_format="wav", stream_format="audio").max_lead_s == 3600.0


@pytest.mark.parametrize(
    ("fields", "in_events"),
    [
        ({"stream_format": "sse"}, True),
        ({"stream_format": "audio"}, False),
        ({"stream": True}, True),
        ({"stream": True, "stream_format": "audio"}, False),
        ({"stream": False}, False),
    ],
)
def test_sound_comes_in_events_when_asked_for(fields: dict[str, Any], in_events: bool) -> None:
    """By OpenAI's field, or else by vllm-omni's."""
    assert ask(**fields).in_events is in_events


def test_null_is_the_same_as_nothing() -> None:
    """Some programs send every field."""
    names = ("instructions", "response_format", "speed", "stream_format", "stream", "ref_audio", "language", "voice")
    nothing: dict[str, Any] = dict.fromkeys(names)
    assert ask(**nothing, seed=None).opening == ask(voice="default").opening


def test_a_voice_may_be_an_object() -> None:
    """With its id, as OpenAI names voices of its customers."""
    assert start(voice={"id": "voice_1234"}).voice == "voice_1234"


@pytest.mark.parametrize(("speed", "spoken"), [(0.25, 0.5), (0.5, 0.5), (1.3, 1.3), (2.0, 2.0), (4.0, 2.0)])
def test_a_speed_that_is_not_possible_is_the_nearest(speed: float, spoken: float) -> None:
    """With a warning that names both."""
    found = ask(speed=speed)
    assert found.opening.start.speed == spoken
    told = [f"speed: {spoken:g} in place of {speed:g}, which is outside 0.5 to 2"]
    assert found.warnings == ([] if speed == spoken else told)


def test_instructions_are_followed_where_the_model_can() -> None:
    """Elsewhere they are warned of, because agents always send them; a long one is cut."""
    found = ask(instructions=" Speak slowly. ").opening.start
    assert (found.mode, found.instruct_text) == ("instruct", "Speak slowly.")
    plain = ask(instructions="Speak slowly.", modes=("sft",))
    assert (plain.opening.start.mode, plain.opening.start.instruct_text) == ("sft", "")
    assert plain.warnings == ["instructions: the model follows none"]
    long = ask(instructions="x" * 700)
    assert long.opening.start.instruct_text == "x" * 500
    assert long.warnings == ["instructions: the first 500 characters of 700 are used"]
    assert start(instructions="  ").mode == "sft"


@pytest.mark.parametrize(
    ("fields", "mode", "transcript"),
    [
        ({}, "cross_lingual", ""),
        ({"ref_text": "What it says."}, "zero_shot", "What it says."),
        ({"ref_text": "What it says.", "x_vector_only_mode": True}, "cross_lingual", ""),
        ({"ref_text": "What it says.", "instructions": "Slowly."}, "instruct", ""),
        ({"ref_text": "What it says.", "task_type": "Base"}, "zero_shot", "What it says."),
    ],
)
def test_a_recording_is_the_voice(fields: dict[str, Any], mode: str, transcript: str) -> None:
    """In base64, as a data: URL, or cut out of a large body before; the name of a voice beside it has no effect."""
    for given in ({"ref_audio": BASE64}, {"ref_audio": f"data:audio/wav;base64,{BASE64}"}):
        found = start(**given, **fields)
        assert (found.mode, found.prompt_text, found.prompt_audio) == (mode, transcript, SOUND)
        assert found.voice == "default"
    assert start(files={"prompt": SOUND}, **fields).prompt_audio == SOUND


def test_a_recording_may_be_a_file_of_the_server() -> None:
    """As a file: URL; whether its folder may be read is decided later."""
    found = ask(ref_audio="file:///srv/voices/a%20b.wav").opening
    assert (found.prompt_path, found.start.prompt_audio) == ("/srv/voices/a b.wav", None)


def test_a_transcript_without_a_recording_has_no_effect() -> None:
    """The named voice speaks."""
    assert start(ref_text="What it says.").prompt_text == "" and start(ref_text="x").mode == "sft"


@pytest.mark.parametrize(
    ("name", "language"),
    [("English", "en"), ("Chinese", "zh"), ("zh-CN", "zh"), ("en_US", "en"), ("Auto", "auto"), ("Italian", "it")],
)
def test_a_language_has_several_names(name: str, language: str) -> None:
    """The model's own code is what counts; whether it speaks that is decided later."""
    assert start(language=name).language == language


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"task_type": "VoiceDesign"}, "task_type"),
        ({"task_type": "Base"}, "task_type"),
        ({"speaker_embedding": [0.1, 0.2]}, "speaker_embedding"),
        ({"ref_audio": "https://example.com/a.wav"}, "ref_audio"),
        ({"ref_audio": "file://[/a.wav"}, "ref_audio"),
    ],
)
def test_what_the_model_cannot_is_refused(fields: dict[str, Any], param: str) -> None:
    """The message begins with the field."""
    with pytest.raises(RequestError, match=f"^{param}: expected "):
        ask(**fields)


@pytest.mark.parametrize(
    "fields",
    [{"input": ""}, {"input": 5}, {"speed": 0.2}, {"speed": 4.1}, {"stream_format": "x"}, {"voice": 5}, {"seed": -1}],
)
def test_a_value_of_another_kind_is_refused(fields: dict[str, Any]) -> None:
    """With the path of the field in the message."""
    with pytest.raises(RequestError, match=rf"\$\.{next(iter(fields))}"):
        ask(**fields)


def test_no_base64_is_refused() -> None:
    """As everywhere."""
    with pytest.raises(UploadError, match="expected base64"):
        ask(ref_audio="no base64!")


def test_a_form_is_read_like_json() -> None:
    """Numbers are words there."""
    found = from_body(Body(fields={"input": "Hello.", "speed": "1.5", "stream": "true", "unknown": "x"}))
    assert (found.input, found.speed, found.stream) == ("Hello.", 1.5, True)
