"""The acoustic process's models: voices, flow and vocoder of one checkpoint, loaded once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from cosyvoice.checkpoint import FLOW_FILES, VOCODER_FILES, find_file, load_module, load_state
from cosyvoice.config import ModelConfig
from cosyvoice.flow.flow import Flow
from cosyvoice.flow.voice import FlowVoice
from cosyvoice.frontend.tokenizer import Tokenizer
from cosyvoice.talker.layout import TalkerPrompt
from cosyvoice.vocoder.hift import Hift
from cosyvoice.vocoder.hop_window import least_held_frames
from cosyvoice.vocoder.vocoder import Vocoder
from cosyvoice.vocoder.weight_norm import fuse_weight_norm
from cosyvoice.voice.modes import Conditioning, conditioning
from cosyvoice.voice.prompt import PromptEncoder
from cosyvoice.voice.store import VoiceStore


@dataclass(frozen=True)
class SpeakingVoice:
    """A voice in one mode, ready to speak. talker: before a whole text; streaming_talker: before text that still
    comes."""

    name: str
    conditioning: Conditioning
    talker: TalkerPrompt
    streaming_talker: TalkerPrompt
    flow: FlowVoice

    def talker_prompt(self, *, streaming: bool) -> TalkerPrompt:
        return self.streaming_talker if streaming else self.talker


class AcousticModels:
    """Raises CheckpointError when a file does not fit. `kv_bytes` bounds the flow's caches; `device` holds flow and
    vocoder."""

    def __init__(self, directory: Path, *, kv_bytes: int, cache_dir: Path | None = None, device: str = "cpu") -> None:
        self.config = config = ModelConfig.load(directory)
        flow = Flow(config.flow)
        path = find_file(directory, FLOW_FILES)
        load_module(path, flow, load_state(path))
        self.flow = flow.prepare(kv_bytes=kv_bytes, device=device)
        hift = Hift(config.vocoder)
        path = find_file(directory, VOCODER_FILES)
        load_module(path, hift, fuse_weight_norm(load_state(path)))
        # The original withholds three frames more than the samples need: 60 ms that a listener would wait.
        self.vocoder = Vocoder(hift.to(device), held_frames=least_held_frames(config.vocoder))
        self.tokenizer = Tokenizer.load(config)
        self.voices = VoiceStore(config, PromptEncoder(directory), cache_dir=cache_dir)
        self._speaking: dict[tuple[str, str, str], SpeakingVoice] = {}

    def unprepared(self, name: str, language: str | None) -> str | None:
        """The full name of a voice whose recording must be encoded first, which takes seconds; None when there is
        nothing to wait for. Raises VoiceError when there is no such voice."""
        voice = self.voices.resolve(name, language)
        return None if self.voices.is_prepared(voice) else voice.name

    def voice(self, name: str, mode: str, instruction: str, language: str | None) -> SpeakingVoice:
        """The voice in a mode; conditioned once and kept. Raises VoiceError when it cannot be."""
        voice = self.voices.resolve(name, language)
        key = (voice.name, mode, instruction)
        if key not in self._speaking:
            prompt = self.voices.prepare(voice)
            c = conditioning(
                mode, prompt, self.config, self.tokenizer, instruction, self.config.serving.first_hop_tokens
            )
            talker = c.talker or TalkerPrompt(())
            # A bistream sequence lays out its prompt's speech first, with text beside it: tens of text ids that would
            # have to come before the first sound.
            prompted = mode != "sft" or self.config.serving.streaming_talker_prompt
            flow = self.flow.voice(c.flow_tokens, c.flow_mel, c.speaker)
            self._speaking[key] = SpeakingVoice(
                voice.name, c, talker, talker if prompted else TalkerPrompt(talker.head), flow
            )
        return self._speaking[key]

    @torch.inference_mode()
    def warm(self, voice: SpeakingVoice) -> None:
        """Computes a voice's shared prompt chunks and speaks to nobody: a first hop, a full one and a last one. The
        first listener then does not wait while kernels for these shapes are made."""
        flow, vocoder = self.flow.open(voice.flow), self.vocoder.open()
        chunk, ahead = self.flow.config.chunk_tokens, self.flow.config.lookahead_tokens
        tokens = [*voice.talker.speech, *[0] * (3 * chunk)]
        used = 0
        for final in (False, False, True):
            count = flow.hop_tokens() + ahead
            mel = self.flow.run(flow.hop(tokens[used : used + count], final=final))
            self.vocoder.decode([(vocoder, mel, final)])
            used += count - ahead
        flow.close()
