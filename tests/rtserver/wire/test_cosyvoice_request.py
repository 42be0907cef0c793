"""What the forms of the original runtime's HTTP server mean."""

from __future__ import annotations

import pytest

from rtserver.http.body import Body
from rtserver.messages import wire
from rtserver.session.start_request import RequestError
from rtserver.wire.cosyvoice.request import INFERENCES, start_of

SOUND = b"RIFF and so on"
FILE = {"prompt": SOUND}
HEAD = "You are a helpful assistant.<|endofprompt|>"


def start(name: str, files: dict[str, bytes] | None = None, **fields: str) -> wire.Start:
    return start_of(INFERENCES[name], Body(fields={"tts_text": "Hello."} | fields, files=files or {}))


def test_a_stored_voice_speaks() -> None:
    """As fast as can be; a field of another path has no effect."""
    found = start("inference_sft", spk_id="中文女", instruct_text="Slowly.", prompt_text="x", unknown="x", files=FILE)
    assert found == wire.Start(voice="中文女", text="Hello.", end=True, max_lead_s=3600.0, marks=False)
    assert start("inference_sft", spk_id="").voice == "default"


def test_a_recording_with_its_transcript_is_the_voice() -> None:
    """Without what programs for CosyVoice 3 write before the transcript."""
    for transcript in ("What it says.", HEAD + "What it says."):
        found = start("inference_zero_shot", FILE, prompt_text=transcript, spk_id="中文女")
        assert (found.mode, found.prompt_text, found.prompt_audio) == ("zero_shot", "What it says.", SOUND)
        assert found.voice == "default"


def test_a_recording_alone_is_the_voice() -> None:
    """In any language; the end of the prompt may come before the text."""
    found = start("inference_cross_lingual", FILE, tts_text=HEAD + "Hello.")
    assert (found.mode, found.prompt_audio, found.text) == ("cross_lingual", SOUND, "Hello.")


@pytest.mark.parametrize(
    "told",
    ["Speak slowly.", "Speak slowly.<|endofprompt|>", "You are a helpful assistant. Speak slowly.<|endofprompt|>"],
)
def test_an_instruction_is_followed(told: str) -> None:
    """For a stored voice or a recording; the talker's layout has the rest already."""
    found = start("inference_instruct", spk_id="中文女", instruct_text=told)
    assert (found.mode, found.voice, found.instruct_text) == ("instruct", "中文女", "Speak slowly.")
    found = start("inference_instruct2", FILE, instruct_text=told)
    assert (found.mode, found.instruct_text, found.prompt_audio) == ("instruct", "Speak slowly.", SOUND)


@pytest.mark.parametrize(
    ("name", "body", "what"),
    [
        ("inference_sft", Body(fields={"tts_text": "Hello."}), "spk_id: expected this field in the form, found none"),
        ("inference_sft", Body(fields={"spk_id": "x"}), "tts_text: expected this field in the form, found none"),
        (
            "inference_sft",
            Body(fields={"tts_text": "", "spk_id": "x"}),
            "tts_text: expected something to say, found none",
        ),
        (
            "inference_cross_lingual",
            Body(fields={"tts_text": "x"}),
            "prompt_wav: expected a sound file in the form, found",
        ),
        ("inference_sft", Body(b"{}"), "expected a form, found JSON"),
    ],
)
def test_what_is_missing_is_named(name: str, body: Body, what: str) -> None:
    """The field, and that it was not found."""
    with pytest.raises(RequestError, match=what):
        start_of(INFERENCES[name], body)
