"""The acoustic process's models: voices, flow, vocoder and aligner of one checkpoint, loaded once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from cosyvoice.checkpoint import FLOW_FILES, VOCODER_FILES, find_file, load_module, load_state
from cosyvoice.config import Dtype, ModelConfig
from cosyvoice.flow.flow import Flow
from cosyvoice.flow.memory import FlowMemory
from cosyvoice.flow.paged.estimator import gpu_candidates
from cosyvoice.flow.paged.slots import slot_classes
from cosyvoice.flow.stepper import FlowStepper
from cosyvoice.flow.stream import FlowStream
from cosyvoice.frontend.tokenizer import Tokenizer
from cosyvoice.graphs import Capture
from cosyvoice.vocoder.hift import Hift
from cosyvoice.vocoder.hop_window import least_held_frames
from cosyvoice.vocoder.vocoder import Vocoder
from cosyvoice.vocoder.weight_norm import fuse_weight_norm
from cosyvoice.voice.prompt import PromptEncoder
from cosyvoice.voice.store import VoiceStore
from rtserver.engine.acoustic.voices import SpeakingVoice as SpeakingVoice
from rtserver.engine.acoustic.voices import Voices
from rtserver.engine.acoustic.word_aligner import WordAligner
from rtserver.ipc.engine import Open

# 4 s of left context. What was said before that changes a sound little.
LEAST_WINDOW_TOKENS = 100


class AcousticModels:
    """What the acoustic process has loaded. Raises CheckpointError when a file does not fit. `kv_bytes` bounds the keys
    and values of the flow. `device` holds flow and vocoder. The flow calculates in `flow_dtype`, the vocoder in
    float32. `aligner` is None where the checkpoint has none."""

    def __init__(
        self,
        directory: Path,
        *,
        kv_bytes: int,
        cache_dir: Path | None = None,
        device: str = "cpu",
        flow_dtype: Dtype = "float32",
        paged: bool = False,
        promised_s: float | None = None,
        most_hops: int = 0,
    ) -> None:
        """paged: whether the flow keeps its memory in pages of one pool. It is right on a GPU.
        promised_s: the sound of a sequence for which an utterance takes memory before it speaks. None: the longest
        sequence, which is right on a CPU, where memory is taken as it is filled.
        most_hops: hops that share an Euler step on a GPU. 0 for no such limit."""
        self.promised_s = promised_s
        self.config = config = ModelConfig.load(directory)
        flow = Flow(config.flow)
        path = find_file(directory, FLOW_FILES)
        load_module(path, flow, load_state(path))
        dtype = getattr(torch, flow_dtype)
        memory = FlowMemory(config.flow, kv_bytes=kv_bytes, device=device, dtype=dtype, paged=paged)
        # Padding is for CUDA graphs: a CPU would compute what nobody reads.
        self.flow = FlowStepper(flow, memory, slot_classes(most_hops) if device.startswith("cuda") else ())
        hift = Hift(config.vocoder)
        path = find_file(directory, VOCODER_FILES)
        load_module(path, hift, fuse_weight_norm(load_state(path)))
        # The original withholds three frames more than the samples need: 60 ms that a listener would wait.
        self.vocoder = Vocoder(
            hift.to(device),
            held_frames=least_held_frames(config.vocoder),
            lead_frames=config.serving.vocoder_lead_frames,
            lead_log_mel=config.serving.vocoder_lead_log_mel,
        )
        self.tokenizer = Tokenizer.load(config)
        self.aligner = WordAligner.load(config, self.tokenizer)
        store = VoiceStore(config, PromptEncoder(directory), cache_dir=cache_dir)
        self.voices = Voices(config, self.tokenizer, store, self.flow)

    @property
    def sequence_tokens(self) -> int:
        """Speech tokens of the longest sequence."""
        return int(self.config.serving.max_sequence_s * self.config.token_rate_hz)

    @property
    def promised_tokens(self) -> int:
        """Speech tokens for which an utterance takes memory before it speaks."""
        if self.promised_s is None:
            return self.sequence_tokens
        return min(self.sequence_tokens, int(self.promised_s * self.config.token_rate_hz))

    @property
    def least_reserve_bytes(self) -> int:
        """What the flow's keys and values of one more stream take at least."""
        return self.flow.memory.stream_bytes(LEAST_WINDOW_TOKENS * self.flow.config.frames_per_token)

    def voice(self, name: str, mode: str, instruction: str, language: str | None) -> SpeakingVoice:
        """A voice of the catalogue in a mode. One that is not in the cache is encoded now. Raises VoiceError."""
        return self.voices.voice(Open("", name, mode, language, instruct_text=instruction))

    def speed_up(self, capture: Capture | None, first_hops: Sequence[int], tell: Callable[[str], None]) -> None:
        """Takes the fastest ways to compute that give what plain PyTorch gives. Call it when the memory's budget is
        final and nobody streams. capture: how the device repeats work; None for a CPU, where plain PyTorch is the
        fastest. first_hops: speech tokens of the first hops that there may be."""
        self.flow.speed_up(() if capture is None else gpu_candidates(capture), tell)
        if capture is not None:
            config = self.flow.config
            firsts = [tokens * config.frames_per_token for tokens in first_hops]
            self.vocoder.speed_up(capture, firsts, config.chunk_frames, tell)

    @torch.inference_mode()
    def warm(self, voice: SpeakingVoice) -> None:
        """Computes the shared prompt chunks of a voice, then a first hop, a full one and a last one, whose sound is
        dropped. So the first listener does not wait until kernels for these shapes are made."""
        flow, vocoder = FlowStream(self.flow, voice.flow), self.vocoder.open()
        chunk, ahead = self.flow.config.chunk_tokens, self.flow.config.lookahead_tokens
        tokens = [*voice.talker.speech, *[0] * (3 * chunk)]
        used = 0
        for final in (False, False, True):
            count = flow.hop_tokens() + ahead
            mel = self.flow.run(flow.hop(tokens[used : used + count], final=final))
            self.vocoder.decode([(vocoder, mel, final)])
            used += count - ahead
        flow.close()
