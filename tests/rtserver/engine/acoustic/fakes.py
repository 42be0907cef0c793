"""Models that compute nothing, and a world in simulated time around an AcousticLoop. Streams, memory and messages are
real."""

from __future__ import annotations

import heapq
import itertools
import queue
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import torch
from torch import Tensor

from cosyvoice.config import ModelConfig
from cosyvoice.flow.hop import HopJob
from cosyvoice.flow.kv import KvSpan
from cosyvoice.flow.memory import FlowMemory
from cosyvoice.flow.stepper import FlowStepper
from cosyvoice.flow.tails import Tails
from cosyvoice.flow.voice import FlowVoice
from cosyvoice.models import NANO
from cosyvoice.talker.layout import TalkerPrompt
from cosyvoice.transfer import ToHost
from cosyvoice.vocoder.stream import VocoderStream
from cosyvoice.vocoder.vocoder import Vocoder
from cosyvoice.voice.modes import Conditioning, ModeError
from rtserver.engine.acoustic.loop import AcousticLoop
from rtserver.engine.acoustic.models import AcousticModels
from rtserver.engine.acoustic.voices import SpeakingVoice, Voices
from rtserver.ipc.engine import Audio, Load, Open
from rtserver.ipc.message import Message
from rtserver.ipc.preparing import PreparationKey, Prepare, Prepared
from rtserver.ipc.talker import SampleQuantum, StopQuantum, Tokens
from rtserver.processes.inbox import Inbox, Lost
from rtserver.processes.port import Port
from rtserver.schedule.costs import Costs
from rtserver.schedule.scheduler import Places, Scheduler

_NANO = ModelConfig.load(NANO)
# Without closing silence, so that the sound is as long as what the talker says.
CONFIG = replace(_NANO, serving=replace(_NANO.serving, closing_ids=()))
_END_S = 1000.0
SAMPLES_PER_FRAME = CONFIG.sample_rate // 50


class FakeStepper(FlowStepper):
    """Gives mel of zeros."""

    def __init__(self, memory: FlowMemory) -> None:
        self.config, self.memory, self.device = CONFIG.flow, memory, torch.device("cpu")
        self._prefix_jobs: dict[FlowVoice, HopJob] = {}

    def job(
        self,
        voice: FlowVoice,
        sequence: Sequence[int],
        position: int,
        *,
        final: bool,
        spans: list[KvSpan],
        tails_in: Tails | None,
        tails_out: Tails | None,
        left_frames: int | None = None,
        block_mask: bool = True,
        context_tokens: int = 0,
        on_done: Callable[[], None] | None = None,
        on_cancel: Callable[[], None] | None = None,
    ) -> HopJob:
        tokens = len(sequence) - (0 if final else self.config.lookahead_tokens)
        frames, nothing = 2 * (tokens - position), torch.zeros(0)
        unheard_frames = min(frames, max(0, 2 * (len(voice.tokens) + context_tokens - position)))
        state = torch.zeros(frames, self.config.mel_bins)
        steps = self.config.euler_steps
        return HopJob(
            steps,
            state,
            nothing,
            2 * position,
            [],
            spans,
            tails_in,
            tails_out,
            unheard_frames,
            left_frames,
            on_done,
            on_cancel,
        )

    def tick(self, jobs: Sequence[HopJob]) -> None:
        for job in jobs:
            job.advance(job.state)


class FakeVocoderStream:
    """Keeps nothing from hop to hop."""

    tensors = ()

    def resume_record(self, to_host: ToHost) -> dict[str, Any]:
        return {}


class FakeVocoder:
    """Gives silence as long as the mel. decoded: the number of streams in each call."""

    def __init__(self) -> None:
        self.decoded: list[int] = []

    def open(self) -> FakeVocoderStream:
        return FakeVocoderStream()

    def restore(self, record: Mapping[str, Any]) -> FakeVocoderStream:
        return FakeVocoderStream()

    def decode(self, jobs: Sequence[tuple[VocoderStream, Tensor, bool]]) -> list[Tensor]:
        self.decoded.append(len(jobs))
        return [torch.zeros(mel.shape[1] * SAMPLES_PER_FRAME) for _, mel, _ in jobs]


@dataclass
class FakeVoices:
    """Has one voice for all utterances. missing_keys: what must be prepared before it can speak."""

    speaking: SpeakingVoice
    missing_keys: list[PreparationKey] = field(default_factory=list)
    first_hop_tokens: int = 12

    def check(self, request: Open) -> None:
        if request.mode == "sing":
            raise ModeError("expected a mode, found 'sing'")

    def missing(self, request: Open) -> list[Prepare]:
        return [Prepare(key) for key in self.missing_keys]

    def adopt(self, prepared: Prepared) -> None:
        if prepared.prompt == b"nonsense":
            raise ValueError("expected a prompt, found nonsense")

    def voice(self, request: Open) -> SpeakingVoice:
        return self.speaking


def flow_voice(tokens: int = 13) -> FlowVoice:
    """A voice with a prompt of this many tokens. The first hop fills the prompt's last chunk."""
    config = CONFIG.flow
    chunks = max(0, (tokens - config.lookahead_tokens) // config.chunk_tokens)
    return FlowVoice((1,) * tokens, torch.zeros(2 * tokens, config.mel_bins), torch.zeros(1), chunks)


class FakeModels(AcousticModels):
    """Models with the sizes of the embedded checkpoint."""

    def __init__(self, *, kv_bytes: int = 1 << 30, prompt_tokens: int = 13, promised_s: float | None = None) -> None:
        self.config, self.promised_s = CONFIG, promised_s
        self.flow = FakeStepper(FlowMemory(CONFIG.flow, kv_bytes=kv_bytes))
        self.decoder = FakeVocoder()
        self.vocoder = cast(Vocoder, self.decoder)
        self.aligner = None
        prompt = TalkerPrompt(())
        conditioning = Conditioning(prompt, (), torch.zeros(0), torch.zeros(0))
        self.fake_voices = FakeVoices(SpeakingVoice("anna", conditioning, prompt, prompt, flow_voice(prompt_tokens)))
        self.voices = cast(Voices, self.fake_voices)


class World:
    """An AcousticLoop, its front and its talker. A turn takes `turn_s` and a speech token `token_s`. The talker gives
    `tokens_per_sequence` tokens. It never answers a quantum of an utterance in `silent`."""

    def __init__(
        self,
        models: FakeModels | None = None,
        *,
        policy: type[Scheduler] = Scheduler,
        turn_s: float = 0.01,
        rest_after_s: float = 5.0,
        stalled_s: float = 120.0,
    ) -> None:
        self.models = models or FakeModels()
        self.now_s = 100.0
        self.token_s = 0.005
        self.tokens_per_sequence = 60
        self.silent: set[str] = set()
        self.sent: list[tuple[float, Message]] = []
        self.loads: list[Load] = []
        self.quanta: dict[tuple[str, int], SampleQuantum] = {}
        self._turn_s = turn_s
        self._numbers = itertools.count()
        self._events: list[tuple[float, int, Message | Lost]] = []
        tick = self.models.flow.tick

        def timed(jobs: Sequence[HopJob]) -> None:
            self.now_s += self._turn_s
            tick(jobs)

        self.models.flow.tick = timed  # type: ignore[method-assign]
        scheduler = policy(Places(2, 4), Costs())
        self.loop = AcousticLoop(
            self.models, cast(Port, self), cast(Inbox, self), scheduler, lambda: self.now_s, rest_after_s, stalled_s
        )

    # -- as the loop's inbox and port -------------------------------------------------------------------------------

    def get(self, timeout: float | None = None) -> Message | Lost:
        at_s = self._events[0][0] if self._events else float("inf")
        if self.now_s > _END_S or (timeout is None and not self._events):
            return Lost("the world is over")
        if timeout is not None and at_s > self.now_s + timeout:
            self.now_s += timeout
            raise queue.Empty
        self.now_s = max(self.now_s, at_s)
        return heapq.heappop(self._events)[2]

    def get_nowait(self) -> Message | Lost:
        if not self._events or self._events[0][0] > self.now_s:
            raise queue.Empty
        return heapq.heappop(self._events)[2]

    def send(self, message: Message) -> None:
        if isinstance(message, Load):
            self.loads.append(message)
            return
        self.sent.append((self.now_s, message))
        if isinstance(message, SampleQuantum):
            self.quanta[message.utterance, message.quantum] = message
            if message.utterance not in self.silent:
                self.at(self.now_s + self.token_s * message.max_tokens, self.answer(message))
        elif isinstance(message, StopQuantum):
            del self.quanta[message.utterance, message.quantum]

    # -- for the test -----------------------------------------------------------------------------------------------

    def at(self, at_s: float, *messages: Message | Lost) -> None:
        """These messages come at this time."""
        for message in messages:
            heapq.heappush(self._events, (at_s, next(self._numbers), message))

    def answer(self, sample: SampleQuantum) -> Tokens:
        """The talker's answer to a quantum."""
        left = self.tokens_per_sequence - len(sample.history)
        ids = [7] * min(sample.max_tokens, left)
        if sample.stage == "final" and len(ids) < sample.max_tokens:
            ids.append(CONFIG.talker.eos)
        return Tokens(sample.utterance, sample.quantum, ids, self.token_s * len(ids))

    def run(self) -> str:
        """Runs until no more messages come. Returns why the loop stopped."""
        return self.loop.run()

    def of(self, kind: type[Message], name: str = "u") -> list[Any]:
        """All messages of this kind about an utterance."""
        return [m for _, m in self.sent if isinstance(m, kind) and m.utterance == name]  # type: ignore[union-attr]

    def when(self, kind: type[Message], name: str = "u") -> list[float]:
        """When these messages were sent."""
        return [at_s for at_s, m in self.sent if isinstance(m, kind) and m.utterance == name]  # type: ignore[union-attr]

    def audio_s(self, name: str = "u") -> float:
        """How much sound an utterance has sent. Fails if there is a gap in it."""
        samples = 0
        for audio in self.of(Audio, name):
            assert round(audio.start_s * CONFIG.sample_rate) == samples
            samples += len(audio.pcm) // 2
        return samples / CONFIG.sample_rate
