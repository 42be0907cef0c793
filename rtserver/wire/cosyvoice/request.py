"""The forms of the original runtime's HTTP server. Unknown fields are ignored, as it does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rtserver.http.body import Body, RecordingFields
from rtserver.messages import wire
from rtserver.session.limits import SessionLimits
from rtserver.session.start_request import RequestError

RECORDINGS = RecordingFields({"prompt_wav": "prompt"}, {})

# Programs for CosyVoice 3 write both before a transcript, an instruction or a text. Our talker's layout has them.
_END_OF_PROMPT = "<|endofprompt|>"
_STANDING_INSTRUCTION = "You are a helpful assistant."


@dataclass(frozen=True)
class Inference:
    """What one of the paths speaks."""

    mode: str
    # The form's fields that must be there.
    fields: tuple[str, ...]
    # Whether a recording must be there.
    clones: bool = False


INFERENCES: Mapping[str, Inference] = {
    "inference_sft": Inference("sft", ("tts_text", "spk_id")),
    "inference_zero_shot": Inference("zero_shot", ("tts_text", "prompt_text"), clones=True),
    "inference_cross_lingual": Inference("cross_lingual", ("tts_text",), clones=True),
    "inference_instruct": Inference("instruct", ("tts_text", "spk_id", "instruct_text")),
    "inference_instruct2": Inference("instruct", ("tts_text", "instruct_text"), clones=True),
}


def start_of(inference: Inference, body: Body) -> wire.Start:
    """What opens a context for a form. Raises RequestError."""
    if body.json is not None:
        raise RequestError("bad_message", "expected a form, found JSON")
    for name in inference.fields:
        if name not in body.fields:
            raise RequestError("bad_message", f"{name}: expected this field in the form, found none")
    recording = body.files.get("prompt")
    if inference.clones and recording is None:
        raise RequestError("bad_message", "prompt_wav: expected a sound file in the form, found none")
    given = {name: body.fields.get(name, "") for name in ("tts_text", "prompt_text", "instruct_text")}
    text = _after_prompt(given["tts_text"])
    if not text:
        raise RequestError("bad_message", "tts_text: expected something to say, found none")
    return wire.Start(
        voice=body.fields.get("spk_id") or "default" if not inference.clones else "default",
        mode=inference.mode,
        instruct_text=_instruction(given["instruct_text"]) if inference.mode == "instruct" else "",
        prompt_text=_after_prompt(given["prompt_text"]) if inference.mode == "zero_shot" else "",
        prompt_audio=recording if inference.clones else None,
        max_lead_s=SessionLimits.max_lead_s,  # the original sends sound as fast as it is made
        marks=False,
        text=text,
        end=True,
    )


def _after_prompt(text: str) -> str:
    """The text without what stands before the end of the prompt."""
    return text.rpartition(_END_OF_PROMPT)[2]


def _instruction(text: str) -> str:
    return text.partition(_END_OF_PROMPT)[0].removeprefix(_STANDING_INSTRUCTION).strip()
