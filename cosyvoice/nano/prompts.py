"""The voices that a model directory has by name, for a tokenizer made anew: the shipped recordings in its codes."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from cosyvoice.voice.catalogue import read_voices
from cosyvoice.voice.prompt import PromptEncoder
from cosyvoice.voice.recording import read_wave
from cosyvoice.voice.spk2info import VOICES_FILE
from cosyvoice.voice.store import SHIPPED_VOICES

_CODES = ("llm_prompt_speech_token", "flow_prompt_speech_token")


def encoded_anew(model: Path) -> dict[str, dict[str, Tensor]]:
    """The entries of the model directory's `spk2info.pt` whose recordings are shipped, with their codes by the model's
    speech tokenizer; all else (text ids, mel, speaker vector) stays."""
    stored: dict[str, dict[str, Tensor]] = torch.load(model / VOICES_FILE, weights_only=True)
    encoder = PromptEncoder(model)
    entries = {}
    for voice in read_voices(SHIPPED_VOICES):
        if voice.wav is not None and voice.name in stored:
            codes = torch.tensor([encoder.speech_tokens(*read_wave(voice.wav))], dtype=torch.int32)
            entries[voice.name] = stored[voice.name] | dict.fromkeys(_CODES, codes)
    return entries
