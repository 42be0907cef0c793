"""The modes of synthesis: which parts of a voice prompt and of an instruction talker and flow get in each mode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from cosyvoice.config import ModelConfig
from cosyvoice.errors import VoiceError
from cosyvoice.frontend.tokenizer import END_OF_PROMPT
from cosyvoice.serving_config import ServingConfig
from cosyvoice.talker.layout import TalkerPrompt
from cosyvoice.voice.prompt import Prompt, flow_prompt
from cosyvoice.voice.styles import style_of

MODES = ("sft", "zero_shot", "cross_lingual", "instruct", "vc")
INSTRUCTED_MODES = ("zero_shot", "cross_lingual", "instruct")
STYLED_MODES = ("cross_lingual", "instruct")  # zero_shot has plain speech before the text, against the style


class ModeError(VoiceError):
    """The mode does not exist, or this checkpoint or voice does not have it."""


class ModeInputError(VoiceError):
    """The mode lacks an input (an instruction, a transcript), or has one that it cannot use."""


class TextEncoder(Protocol):
    """The part of a tokenizer that prompts need. `encode` never gives a control id."""

    def encode(self, text: str) -> list[int]: ...

    def special(self, name: str) -> int: ...


@dataclass(frozen=True, eq=False)
class Conditioning:
    """What conditions one utterance."""

    # The ids before the text. None for voice conversion, where the tokens of a source recording replace the talker's.
    talker: TalkerPrompt | None
    # P speech tokens of the prompt, for the flow.
    flow_tokens: tuple[int, ...]
    # [2P, 80], for the flow.
    flow_mel: Tensor
    # [192], for the flow.
    speaker: Tensor
    # The original passes the head as the beginning of the text, so that its length limits include it.
    head_is_text: bool = False

    @property
    def prompt_text_ids(self) -> tuple[int, ...]:
        """The original's `prompt_text`."""
        if self.talker is None or self.head_is_text:
            return ()
        return self.talker.head + self.talker.transcript

    @property
    def text_prefix_ids(self) -> tuple[int, ...]:
        """What the original puts before the text to be spoken."""
        return self.talker.head if self.talker is not None and self.head_is_text else ()

    @property
    def talker_prompt_tokens(self) -> tuple[int, ...]:
        return self.talker.speech if self.talker is not None else ()


def require_mode(mode: str, available: Sequence[str]) -> None:
    """Raises ModeError unless `mode` is one of the modes of a checkpoint (VoiceStore.modes)."""
    if mode not in MODES:
        raise ModeError(f"mode: expected one of {list(MODES)}, found {mode[:40]!r:.40}")
    if mode not in available:
        raise ModeError(f"mode {mode}: expected one that this checkpoint can do, which are {list(available)}")


def conditioning(
    mode: str,
    prompt: Prompt,
    config: ModelConfig,
    tokenizer: TextEncoder,
    instruction: str = "",
    first_hop_tokens: int | None = None,
) -> Conditioning:
    """What `mode` takes of a prompt, as in the original.

    | mode          | talker head     | transcript | talker speech | flow prompt                |
    |---------------|-----------------|------------|---------------|----------------------------|
    | zero_shot     | instruction eop | yes        | yes           | tokens, mel, speaker       |
    | cross_lingual | instruction eop | -          | -             | tokens, mel, speaker       |
    | instruct      | instruction eop | -          | -             | tokens, mel, speaker       |
    | vc            | -               | -          | -             | tokens, mel, speaker       |
    | sft           | as zero_shot; for a voice known by its speaker vector alone: eop, speaker    |

    eop is the end-of-prompt id. The instruction comes after the checkpoint's standing one. For a checkpoint with styles
    it is replaced by the tag of the style that it names, or by nothing. Only the flow prompt is cut for
    `first_hop_tokens` (cosyvoice.voice.prompt.flow_prompt).

    Raises ModeError for a mode that is not possible, ModeInputError for an instruction or a transcript that does not
    fit the mode.
    """
    require_mode(mode, config.serving.modes)
    check_instruction(mode, instruction, config.serving)
    if mode != "sft" and not prompt.speech_tokens:
        raise ModeError(f"mode {mode}: expected a voice with a recorded prompt, found a speaker vector alone")
    flow_tokens, flow_mel = flow_prompt(
        prompt, first_hop_tokens, config.flow.chunk_tokens, config.flow.lookahead_tokens
    )
    talker: TalkerPrompt | None
    if mode == "vc":
        talker = None
    elif mode == "zero_shot" or (mode == "sft" and prompt.speech_tokens):
        stored_head, transcript = _prompt_text(mode, prompt, tokenizer)
        head = stored_head if stored_head and not instruction else _head(instruction, config.serving, tokenizer)
        talker = TalkerPrompt(head, transcript, prompt.speech_tokens)
    else:
        talker = TalkerPrompt(_head(instruction, config.serving, tokenizer))
    return Conditioning(
        talker=talker,
        flow_tokens=flow_tokens,
        flow_mel=flow_mel,
        speaker=prompt.speaker,
        head_is_text=mode == "cross_lingual" or (mode == "sft" and not prompt.speech_tokens),
    )


def unfollowed(instruction: str, serving: ServingConfig) -> str:
    """A warning for the client that its instruction has no effect. Empty when it has, or there is none."""
    if not instruction.strip() or not serving.styles or style_of(instruction, serving.styles) is not None:
        return ""
    names = ", ".join(style.name for style in serving.styles)
    return f"instruct_text: expected one that names a style of {serving.name} ({names}), found none: spoken plainly"


def check_instruction(mode: str, instruction: str, serving: ServingConfig) -> None:
    """Raises ModeInputError when the instruction does not fit the mode."""
    if mode == "instruct" and not instruction.strip():
        raise ModeInputError("mode instruct: expected an instruction, found none")
    instructed = STYLED_MODES if serving.styles else INSTRUCTED_MODES
    if instruction and mode not in instructed:
        raise ModeInputError(f"mode {mode}: expected no instruction, found one (instructions go with {instructed})")
    if instruction and "instruct" not in serving.modes:
        raise ModeInputError(f"mode {mode}: expected no instruction, found one ({serving.name} follows none)")


def _head(instruction: str, serving: ServingConfig, tokenizer: TextEncoder) -> tuple[int, ...]:
    """`You are a helpful assistant. 请用广东话表达。<|endofprompt|>`, or a style's tag in place of the instruction."""
    if serving.styles:
        style = style_of(instruction, serving.styles)
        tag = () if style is None else (tokenizer.special(style.tag),)
        return (*tag, tokenizer.special(END_OF_PROMPT))
    text = " ".join(part for part in (serving.instruct_prefix, instruction.strip()) if part)
    return (*(tokenizer.encode(text) if text else ()), tokenizer.special(END_OF_PROMPT))


def _prompt_text(mode: str, prompt: Prompt, tokenizer: TextEncoder) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The stored head (empty when none is stored) and the transcript."""
    if prompt.text_ids is None:
        if not prompt.transcript.strip():
            raise ModeInputError(
                f"mode {mode}: expected the prompt's transcript, found none (cross_lingual needs none)"
            )
        return (), tuple(tokenizer.encode(prompt.transcript))
    end_of_prompt = tokenizer.special(END_OF_PROMPT)
    end = prompt.text_ids.index(end_of_prompt) + 1 if end_of_prompt in prompt.text_ids else 0
    return prompt.text_ids[:end], prompt.text_ids[end:]
