"""The stage `flow`: speech codes, a prompt and a speaker to mel, by flow matching.

The guided velocity is learnt itself, so serving needs one row of the network where classifier-free guidance needs two:
the target is moved away from the unconditional velocity by a part of how far the network's own conditional velocity is
from it ("model guidance", Tang et al. 2025, arXiv 2502.12154). What that comes to rest at is the guided velocity.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cosyvoice.checkpoint import FLOW_FILES, find_file, load_state
from cosyvoice.config import ModelConfig
from cosyvoice.flow.flow import Flow
from cosyvoice.flow.ode import cosine_grid
from cosyvoice.nano.corpus.manner import PLAIN_SOUND
from cosyvoice.nano.corpus.voices import HIBARI
from cosyvoice.nano.data.corpus_codes import Spoken, SpokenCorpus
from cosyvoice.nano.data.digits import begin_anew
from cosyvoice.nano.data.speakers import speaker_vector
from cosyvoice.nano.data.store import FeatureStore
from cosyvoice.nano.training.batching import batches
from cosyvoice.nano.training.loop import Losses, Schedule, State, Training, train
from cosyvoice.nano.training.muon import Muon
from cosyvoice.nano.training.padding import inside, padded

_SIGMA = 1e-6  # noise left at the end of the path


@dataclass(frozen=True)
class FlowSettings:
    """Hyper-parameters.

    prompted: the part of utterances that follow another one of their voice as a prompt; begun: of the others, the part
    whose own beginning is known. styled_prompted: the part of utterances in a style that follow a plain one, as they do
    in serving. unconditional: the part of rows that learn the velocity guidance leads away from. guidance: how far, as
    `cfg_rate` when serving guides; 0: the plain velocity is learnt. euler_steps: of what is held out.
    """

    rate: float = 1.0e-3
    frames_a_step: int = 4000
    longest_frames: int = 700
    prompted: float = 0.3
    styled_prompted: float = 0.7
    prompt_codes: tuple[int, int] = (25, 100)
    begun: float = 0.4
    known_part: float = 0.3
    unconditional: float = 0.2
    streaming: float = 0.5
    plentiful: float = 0.35
    guidance: float = 0.7
    euler_steps: int = 3
    clip: float = 2.0


@dataclass(frozen=True)
class FlowExample:
    """codes [N], mel [2 N, 80], of which the first `known` frames are given; speaker [192]."""

    codes: NDArray[np.int16]
    mel: NDArray[np.float16]
    known: int
    voice: str


@dataclass(frozen=True)
class _Batch:
    """mel and cond [B, bins, T], tokens [B, N], speakers [B, 192], lengths [B] in frames, inside [B, T]."""

    mel: Tensor
    cond: Tensor
    tokens: Tensor
    speakers: Tensor
    lengths: Tensor
    inside: Tensor

    def mean(self, error: Tensor) -> Tensor:
        """The mean of [B, bins, T] over what is no padding."""
        return (error.mean(1) * self.inside).sum() / self.inside.sum()


class FlowTraining(Training[list[FlowExample]]):
    """Learns from batches of utterances."""

    name = "flow"

    def __init__(
        self, corpus: SpokenCorpus, work: Path, model: Path, settings: FlowSettings, *, new_codes: bool = False
    ) -> None:
        """new_codes: the model's weights are of another tokenizer."""
        torch.manual_seed(self.seed)
        config = ModelConfig.load(model)
        self.corpus, self.settings, self._work = corpus, settings, work
        self._features = FeatureStore(work)
        self.network = Flow(config.flow)
        self.network.load_state_dict(load_state(find_file(model, FLOW_FILES)))
        if new_codes:
            begin_anew(self.network.input_embedding.weight, torch.Generator().manual_seed(self.seed))
        self.optimiser = Muon(
            self.network.named_parameters(),
            settings.rate,
            plain=("input_embedding", "proj_out", "spk_embed", "time_mlp", "norm_out", "conv_pos"),
        )

    @property
    def modules(self) -> dict[str, nn.Module]:
        return {"flow": self.network}

    @property
    def optimisers(self) -> dict[str, Muon]:
        return {"flow": self.optimiser}

    @property
    def notes(self) -> dict[str, Any]:
        return asdict(self.settings)

    def utterances(self) -> int:
        self._features = FeatureStore(self._work)
        return self.corpus.refresh()

    def epoch(self, number: int, utterances: int) -> list[list[FlowExample]]:
        generator = random.Random(f"{self.name}-{self.seed}-{number}")
        chosen = [one for one in self.corpus.training(utterances) if self._is_learnt(one, generator)]
        voices: dict[str, list[Spoken]] = {}
        for one in chosen:
            if not one.style:
                voices.setdefault(one.voice, []).append(one)
        made = [self._example(one, voices.get(one.voice, []), generator) for one in chosen]
        lengths = [len(one.mel) for one in made]
        return [[made[i] for i in batch] for batch in batches(lengths, self.settings.frames_a_step, generator)]

    def step(self, batch: list[FlowExample], done: float) -> Losses:
        rows = len(batch)
        times = (torch.arange(rows) + torch.rand(())) / rows % 1
        times = times[torch.randperm(rows)]
        # Half of them lie as the cosine grid of inference has them, densest at the start.
        times = torch.where(torch.rand(rows) < 0.5, times, 1 - torch.cos(times * math.pi / 2))
        streaming = bool(torch.rand(()) < self.settings.streaming)
        unconditional = torch.rand(rows) < self.settings.unconditional
        loss = self._loss(self._batch(batch), times.to(self.device), streaming, unconditional.to(self.device))
        self.optimiser.zero_grad()
        loss.backward()
        size = nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip)
        if torch.isfinite(size):
            self.optimiser.step()
        return {"velocity": loss.item()}

    def evaluate(self) -> Losses:
        """How far the mel that Euler steps lead to is from the recording's, in the mean over frames and bins."""
        losses: Losses = {}
        for voice, some in self.corpus.held_out().items():
            made = [FlowExample(one.codes, self._features.mel(one.entry), 0, one.voice) for one in some]
            for streaming in (False, True):
                torch.manual_seed(self.seed)
                total = frames = 0.0
                for rows in batches([len(one.mel) for one in made], self.settings.frames_a_step, random.Random(0)):
                    batch = self._batch([made[i] for i in rows])
                    weight = float(batch.lengths.sum())
                    total += float(batch.mean((self._sampled(batch, streaming) - batch.mel).abs())) * weight
                    frames += weight
                losses[f"{voice} {'chunks' if streaming else 'full'}"] = total / frames
        return losses

    def _loss(self, batch: _Batch, times: Tensor, streaming: bool, unconditional: Tensor) -> Tensor:
        """Mean square error of the velocity over frames that count."""
        noise = torch.randn_like(batch.mel)
        along = times[:, None, None]
        noisy = (1 - (1 - _SIGMA) * along) * noise + along * batch.mel
        velocity = self._velocity(batch, noisy, times, streaming, unconditional)
        target = batch.mel - (1 - _SIGMA) * noise
        if self.settings.guidance:
            with torch.no_grad():
                free = self._velocity(batch, noisy, times, streaming, torch.ones_like(unconditional))
                guided = guided_target(target, velocity, free, self.settings.guidance)
            target = torch.where(unconditional[:, None, None], target, guided)
        return batch.mean((velocity - target).square())

    def _velocity(
        self, b: _Batch, x: Tensor, times: Tensor, streaming: bool, unconditional: Tensor | None = None
    ) -> Tensor:
        velocity: Tensor = self.network(
            x, times, b.tokens, b.speakers, b.cond, block_mask=streaming, lengths=b.lengths, unconditional=unconditional
        )
        return velocity

    def _sampled(self, batch: _Batch, streaming: bool) -> Tensor:
        """The mel [B, bins, T] that Euler steps from noise lead to, without guidance from outside."""
        x = torch.randn_like(batch.mel)
        times, deltas = cosine_grid(self.settings.euler_steps)
        for time, delta in zip(times.to(x), deltas):
            x = x + delta * self._velocity(batch, x, time.expand(len(x)), streaming)
        return x

    def _batch(self, examples: Sequence[FlowExample]) -> _Batch:
        lengths = torch.tensor([len(one.mel) for one in examples], device=self.device)
        known = torch.tensor([one.known for one in examples], device=self.device)
        mel = padded([one.mel for one in examples], self.device).transpose(1, 2)
        tokens = padded([one.codes for one in examples], self.device)
        speakers = torch.stack([speaker_vector(one.voice) for one in examples]).to(self.device)
        cond = mel * inside(known, mel.shape[2])[:, None]
        return _Batch(mel, cond, tokens, speakers, lengths, inside(lengths, mel.shape[2]))

    def _is_learnt(self, one: Spoken, generator: random.Random) -> bool:
        """Whether an utterance is in this epoch: of a plentiful voice's plain speech only some."""
        if one.style:
            return one.style not in PLAIN_SOUND
        return one.voice != HIBARI or generator.random() < self.settings.plentiful

    def _example(self, one: Spoken, plain: Sequence[Spoken], generator: random.Random) -> FlowExample:
        """plain: utterances of the voice, of which one may be its prompt."""
        codes, mel, known = one.codes, self._features.mel(one.entry), 0
        drawn = generator.random()
        prompted = (self.settings.styled_prompted if one.style else self.settings.prompted) if plain else 0.0
        if drawn < prompted:
            prompt = generator.choice(plain)
            count = len(prompt.codes)
            if generator.random() < 0.5:
                count = min(count, generator.randint(*self.settings.prompt_codes))
            known = count * self.network.config.frames_per_token
            if known + len(mel) <= self.settings.longest_frames:
                codes = np.concatenate([prompt.codes[:count], codes])
                mel = np.concatenate([self._features.mel(prompt.entry)[:known], mel])
            else:
                known = 0
        elif drawn < prompted + (1 - prompted) * self.settings.begun:
            known = generator.randint(0, int(self.settings.known_part * len(mel)))
        return FlowExample(codes, mel, known, one.voice)


def guided_target(target: Tensor, velocity: Tensor, free: Tensor, guidance: float) -> Tensor:
    """What a velocity should be that already is guided, given the plain target and the unconditional velocity.

    It is its own target exactly where it is (1 + guidance) * plain - guidance * free.
    """
    return target + guidance / (1 + guidance) * (velocity - free)


def run(
    work: Path, model: Path, steps: int, settings: FlowSettings, device: torch.device, *, new_codes: bool = False
) -> State:
    """Trains to `steps`, beginning with the weights of `model`; goes on from where it stopped."""
    training = FlowTraining(SpokenCorpus(work, model), work, model, settings, new_codes=new_codes)
    return train(training, work / "flow", Schedule(steps), device=device)
