"""Modes: the original's layout of prompt text, talker prompt and flow prompt in each."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from cosyvoice.config import ModelConfig
from cosyvoice.errors import VoiceError
from cosyvoice.frontend.tokenizer import Tokenizer
from cosyvoice.models import NANO
from cosyvoice.serving_config import StyleConfig
from cosyvoice.voice.modes import MODES, Conditioning, ModeError, ModeInputError, conditioning, require_mode
from cosyvoice.voice.prompt import Prompt, PromptEncoder
from cosyvoice.voice.store import VoiceStore

EOP = 151646


class Characters:
    """A tokenizer with one id a character."""

    def encode(self, text: str) -> list[int]:
        return [ord(character) for character in text]

    def special(self, name: str) -> int:
        return {"<|endofprompt|>": EOP}[name]


def ids(text: str) -> tuple[int, ...]:
    """Ids of a text in which `|` stands for the end of the prompt."""
    return tuple(EOP if character == "|" else ord(character) for character in text)


PREFIX = "You are a helpful assistant."
TOKENS = tuple(range(100, 175))
PROMPT = Prompt("你好。", TOKENS, torch.randn(150, 80), torch.randn(192))
SPEAKER_ONLY = Prompt("", (), torch.zeros(0, 80), torch.randn(192))


@pytest.fixture(scope="module")
def released(clonable_dir: Path) -> ModelConfig:
    """The configuration of a directory without serving.json: the released class."""
    return ModelConfig.load(clonable_dir)


def layout(result: Conditioning) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """prompt_text, text prefix, talker prompt tokens, flow prompt tokens."""
    return result.prompt_text_ids, result.text_prefix_ids, result.talker_prompt_tokens, result.flow_tokens


@pytest.mark.parametrize(
    ("mode", "prompt", "instruction", "expected"),
    [
        ("zero_shot", PROMPT, "", (ids(PREFIX + "|你好。"), (), TOKENS, TOKENS)),
        ("zero_shot", PROMPT, "说慢点。", (ids(PREFIX + " 说慢点。|你好。"), (), TOKENS, TOKENS)),
        ("cross_lingual", PROMPT, "", ((), ids(PREFIX + "|"), (), TOKENS)),
        ("instruct", PROMPT, "请用广东话表达。", (ids(PREFIX + " 请用广东话表达。|"), (), (), TOKENS)),
        ("vc", PROMPT, "", ((), (), (), TOKENS)),
        ("sft", PROMPT, "", (ids(PREFIX + "|你好。"), (), TOKENS, TOKENS)),
        ("sft", SPEAKER_ONLY, "", ((), ids(PREFIX + "|"), (), ())),
    ],
)
def test_layout_is_the_originals(
    released: ModelConfig,
    mode: str,
    prompt: Prompt,
    instruction: str,
    expected: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]],
) -> None:
    """Each mode passes what the original's frontend passes."""
    result = conditioning(mode, prompt, released, Characters(), instruction)
    assert layout(result) == expected
    assert result.flow_mel is prompt.mel
    assert result.speaker is prompt.speaker
    assert (result.talker is None) == (mode == "vc")


@pytest.mark.parametrize(
    ("mode", "instruction", "expected"),
    [
        ("zero_shot", "", ids("Sing.|ab")),
        ("zero_shot", "Shout.", ids(PREFIX + " Shout.|ab")),
        ("sft", "", ids("Sing.|ab")),
        ("instruct", "Shout.", ids(PREFIX + " Shout.|")),
    ],
)
def test_stored_prompt_text(released: ModelConfig, mode: str, instruction: str, expected: tuple[int, ...]) -> None:
    """A stored prompt keeps its own instruction and transcript, unless another instruction is asked for."""
    stored = dataclasses.replace(PROMPT, text_ids=ids("Sing.|ab"))
    assert conditioning(mode, stored, released, Characters(), instruction).prompt_text_ids == expected


def test_stored_prompt_text_without_end_of_prompt(released: ModelConfig) -> None:
    """A stored prompt text that is a transcript alone is given the standing instruction."""
    stored = dataclasses.replace(PROMPT, text_ids=ids("ab"))
    assert conditioning("zero_shot", stored, released, Characters()).prompt_text_ids == ids(PREFIX + "|ab")


@pytest.mark.parametrize("mode", MODES)
def test_only_the_flow_prompt_is_cut(released: ModelConfig, mode: str) -> None:
    """For a first hop of 12 tokens the flow prompt loses 12 of 75 at its start; the talker keeps all."""
    instruction = "Shout." if mode == "instruct" else ""
    whole = conditioning(mode, PROMPT, released, Characters(), instruction)
    result = conditioning(mode, PROMPT, released, Characters(), instruction, first_hop_tokens=12)
    assert result.flow_tokens == TOKENS[12:]
    assert torch.equal(result.flow_mel, PROMPT.mel[24:])
    assert layout(result)[:3] == layout(whole)[:3]


@pytest.mark.parametrize("name", ["中文女", "中文男", "英文女", "英文男"])
def test_embedded_voices(name: str, tmp_path: Path) -> None:
    """The embedded checkpoint's voices speak as sft in the layout of zero_shot, with end of prompt first."""
    config = ModelConfig.load(NANO)
    voices = VoiceStore(config, PromptEncoder(NANO), cache_dir=tmp_path)
    prompt = voices.prepare(voices.resolve(name))
    result = conditioning("sft", prompt, config, Tokenizer.load(config))
    assert result.talker is not None
    assert result.talker.head == (2,)
    assert result.prompt_text_ids == prompt.text_ids
    assert result.talker_prompt_tokens == prompt.speech_tokens
    target = conditioning("vc", prompt, config, Tokenizer.load(config), first_hop_tokens=12)
    assert target.talker is None
    assert len(target.flow_tokens) == 63


@pytest.mark.parametrize("mode", ["zero_shot", "cross_lingual", "instruct"])
def test_a_checkpoint_refuses_modes(mode: str) -> None:
    """A mode that the checkpoint was not trained for is refused by name, with those it can do."""
    loaded = ModelConfig.load(NANO)
    config = dataclasses.replace(loaded, serving=dataclasses.replace(loaded.serving, modes=("sft", "vc")))
    with pytest.raises(VoiceError, match=rf"mode {mode}: expected one that this checkpoint can do, .*\['sft', 'vc'\]"):
        conditioning(mode, PROMPT, config, Characters(), "Shout." if mode == "instruct" else "")


def test_unknown_mode() -> None:
    """An unknown mode is refused with the known ones."""
    with pytest.raises(VoiceError, match=r"mode: expected one of \['sft', 'zero_shot', .*found 'sing'"):
        require_mode("sing", MODES)


@pytest.mark.parametrize("mode", ["zero_shot", "cross_lingual", "instruct", "vc"])
def test_speaker_only_voices_do_sft_alone(released: ModelConfig, mode: str) -> None:
    """A voice without recorded prompt is refused by the modes that need one."""
    with pytest.raises(VoiceError, match=f"mode {mode}: expected a voice with a recorded prompt"):
        conditioning(mode, SPEAKER_ONLY, released, Characters(), "Shout." if mode == "instruct" else "")


@pytest.mark.parametrize(
    ("mode", "instruction", "message"),
    [
        ("instruct", " ", "expected an instruction, found none"),
        ("sft", "Shout.", "expected no instruction"),
        ("vc", "Shout.", "expected no instruction"),
    ],
)
def test_instructions_fit_the_mode(released: ModelConfig, mode: str, instruction: str, message: str) -> None:
    """An instruction goes with the modes that read one, and instruct needs one."""
    with pytest.raises(VoiceError, match=f"mode {mode}: {message}"):
        conditioning(mode, PROMPT, released, Characters(), instruction)


def test_instruction_needs_a_checkpoint_that_follows_them(released: ModelConfig) -> None:
    """Where instruct is not among the modes, the others refuse an instruction too."""
    serving = dataclasses.replace(released.serving, name="deaf", modes=("zero_shot",))
    config = dataclasses.replace(released, serving=serving)
    with pytest.raises(VoiceError, match=r"mode zero_shot: expected no instruction, found one \(deaf follows none\)"):
        conditioning("zero_shot", PROMPT, config, Characters(), "Shout.")


def test_zero_shot_needs_a_transcript(released: ModelConfig) -> None:
    """Without transcript zero_shot is refused, cross_lingual is not."""
    prompt = dataclasses.replace(PROMPT, transcript=" ")
    with pytest.raises(VoiceError, match="mode zero_shot: expected the prompt's transcript, found none"):
        conditioning("zero_shot", prompt, released, Characters())
    assert conditioning("cross_lingual", prompt, released, Characters()).talker_prompt_tokens == ()


@pytest.mark.parametrize(
    ("mode", "instruction", "kind"),
    [
        ("sing", "", ModeError),
        ("instruct", "", ModeInputError),
        ("sft", "Shout.", ModeInputError),
        ("zero_shot", "", ModeInputError),
    ],
)
def test_kinds_of_errors(released: ModelConfig, mode: str, instruction: str, kind: type[VoiceError]) -> None:
    """A mode that cannot be is told from one that lacks something, or was given too much."""
    prompt = dataclasses.replace(PROMPT, transcript="")
    with pytest.raises(kind):
        conditioning(mode, prompt, released, Characters(), instruction)


def test_a_mode_that_a_voice_cannot_do(released: ModelConfig) -> None:
    """It is the mode that is refused."""
    with pytest.raises(ModeError):
        conditioning("vc", SPEAKER_ONLY, released, Characters())


TAGS = {"<|endofprompt|>": EOP, "<|slow|>": 7, "<|soft|>": 8}


class Tags(Characters):
    """Knows the tags of two styles."""

    def special(self, name: str) -> int:
        return TAGS[name]


@pytest.fixture(scope="module")
def styled(released: ModelConfig) -> ModelConfig:
    """A checkpoint that can do everything, in two styles."""
    styles = (StyleConfig("slow", "<|slow|>", ("slowly", "慢")), StyleConfig("soft", "<|soft|>", ("softly", "轻声")))
    return dataclasses.replace(released, serving=dataclasses.replace(released.serving, styles=styles))


@pytest.mark.parametrize(
    ("mode", "instruction", "head"),
    [
        ("instruct", "Please speak SLOWLY.", (7, EOP)),
        ("instruct", "请轻声说。", (8, EOP)),
        ("cross_lingual", "softly, and slowly", (8, EOP)),
        ("instruct", "Imitate a robot.", (EOP,)),
        ("instruct", "<|soft|>", (EOP,)),
        ("cross_lingual", "", (EOP,)),
        ("zero_shot", "", (EOP,)),
    ],
)
def test_an_instruction_is_its_styles_tag_or_nothing(
    styled: ModelConfig, mode: str, instruction: str, head: tuple[int, ...]
) -> None:
    """The talker is never given its words; the flow's prompt is the voice's plain one."""
    result = conditioning(mode, PROMPT, styled, Tags(), instruction)
    assert result.talker is not None and result.talker.head == head
    assert result.flow_mel is PROMPT.mel and result.flow_tokens == TOKENS


@pytest.mark.parametrize("mode", ["zero_shot", "sft", "vc"])
def test_a_style_does_not_go_with_plain_speech_before_it(styled: ModelConfig, mode: str) -> None:
    """The prompt's own manner would deny it: refused, with the modes that take one."""
    with pytest.raises(ModeInputError, match=r"instructions go with \('cross_lingual', 'instruct'\)"):
        conditioning(mode, PROMPT, styled, Tags(), "slowly")
