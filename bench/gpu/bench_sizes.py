"""The models that the runbook measures: random weights of the released sizes, or small ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from bench.model.random_checkpoint import SMALL, TRUE, Sizes
from cosyvoice.config import DitConfig, FlowConfig, VocoderConfig
from cosyvoice.flow.flow import Flow
from cosyvoice.flow.memory import FlowMemory
from cosyvoice.flow.paged.estimator import gpu_candidates
from cosyvoice.flow.paged.slots import SLOT_CLASSES
from cosyvoice.flow.stepper import FlowStepper
from cosyvoice.flow.voice import FlowVoice
from cosyvoice.vocoder.hift import Hift
from cosyvoice.vocoder.hop_window import least_held_frames
from cosyvoice.vocoder.vocoder import Vocoder
from rtserver.engine.acoustic.device import capture_on

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class BenchSizes:
    """What a run does."""

    flow: FlowConfig
    vocoder: VocoderConfig
    # Ids that the talker's head gives, and how many of them are speech tokens.
    head_rows: int
    speech_tokens: int
    # Hops, streams or rows side by side.
    batches: tuple[int, ...]
    # Seconds of sound that a hop has before it.
    contexts_s: tuple[int, ...]
    # Rows of the talker.
    talker_rows: tuple[int, ...]
    # Streams of the whole engine.
    engine_streams: tuple[int, ...]
    # Of a listener's text. With random weights a text becomes 20 speech tokens an id, the most that is allowed.
    text_ids: int
    # How long talker and flow work side by side.
    together_s: float
    # Of all networks, as a checkpoint.
    checkpoint: Sizes
    # Repetitions of each measurement, of which the median counts.
    rounds: int

    @classmethod
    def of(cls, *, small: bool) -> BenchSizes:
        dit = DitConfig(64, 2, 2, 32) if small else DitConfig(1024, 22, 16, 64)
        flow = FlowConfig(vocab=6561, lookahead_channels=48 if small else 1024, dit=dit, euler_steps=2 if small else 10)
        vocoder = VocoderConfig(64, 32) if small else VocoderConfig(512, 512)
        return cls(
            flow=flow,
            vocoder=vocoder,
            head_rows=6761,
            speech_tokens=6561,
            batches=(1, 2) if small else (1, 2, 4, 8, 16, 32, 64),
            contexts_s=(0, 1) if small else (0, 3, 10),
            talker_rows=(1, 2) if small else (1, 8, 32, 64, 128),
            engine_streams=(1, 2) if small else (1, 4, 16, 32, 64),
            text_ids=3 if small else 8,
            together_s=0.3 if small else 3.0,
            checkpoint=SMALL if small else TRUE,
            rounds=2 if small else 5,
        )

    def stepper(
        self,
        device: str,
        dtype: torch.dtype,
        kv_bytes: int,
        *,
        paged: bool = False,
        tell: Callable[[str], None] = print,
    ) -> FlowStepper:
        """A flow with random weights, which are made on the device. With pages it takes the fastest way that is right,
        as the server does at its start, and tells which."""
        torch.manual_seed(0)
        with torch.device(device):
            weights = Flow(self.flow)
        memory = FlowMemory(self.flow, kv_bytes=kv_bytes, dtype=dtype, device=device, paged=paged)
        capture = capture_on(device)
        stepper = FlowStepper(weights, memory, () if capture is None else SLOT_CLASSES)
        stepper.speed_up(() if capture is None else gpu_candidates(capture), tell)
        return stepper

    def vocoder_on(self, device: str) -> Vocoder:
        """A vocoder with random weights."""
        torch.manual_seed(0)
        return Vocoder(Hift(self.vocoder).to(device), held_frames=least_held_frames(self.vocoder))


def voice_of(stepper: FlowStepper) -> FlowVoice:
    """A voice with a prompt of 3 s, always the same."""
    config = stepper.config
    tokens = 3 * config.chunk_tokens + config.lookahead_tokens
    generator = torch.Generator().manual_seed(1)
    mel = torch.randn(tokens * config.frames_per_token, config.mel_bins, generator=generator)
    return stepper.voice([1] * tokens, mel, torch.ones(config.spk_embed_dim))
