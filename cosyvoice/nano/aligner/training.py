"""The stage `aligner`: CTC of text ids over speech codes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cosyvoice.config import ModelConfig
from cosyvoice.nano.data.corpus_codes import Spoken, SpokenCorpus
from cosyvoice.nano.data.digits import related_vectors
from cosyvoice.nano.training.batching import batches
from cosyvoice.nano.training.loop import Losses, Schedule, State, Training, averaged, train
from cosyvoice.nano.training.muon import Muon
from cosyvoice.nano.training.padding import padded
from cosyvoice.talker.aligner import SLOTS_PER_TOKEN, Aligner, AlignerConfig

_RATE = 2e-3
_CODES_A_STEP = 6000
_CLIP = 1.0
_RARE_TIMES = 3  # utterances of a voice that has little are read this often in an epoch
_RARE_UTTERANCES = 3000


class AlignerTraining(Training[list[Spoken]]):
    """Learns from batches of whole utterances."""

    name = "aligner"

    def __init__(self, corpus: SpokenCorpus, config: AlignerConfig) -> None:
        torch.manual_seed(self.seed)
        self.corpus = corpus
        self.sounding = corpus.phonemes.sounding
        self.network = Aligner(config)
        with torch.no_grad():
            vectors = related_vectors(config.dim, torch.Generator().manual_seed(self.seed))
            self.network.embedding.weight[: len(vectors)] = vectors
        self.optimiser = Muon(self.network.named_parameters(), _RATE, plain=("embedding", "head"))

    @property
    def modules(self) -> dict[str, nn.Module]:
        return {"aligner": self.network}

    @property
    def optimisers(self) -> dict[str, Muon]:
        return {"aligner": self.optimiser}

    @property
    def notes(self) -> dict[str, Any]:
        return {**asdict(self.network.config), "rate": _RATE, "codes_a_step": _CODES_A_STEP, "clip": _CLIP}

    def utterances(self) -> int:
        return self.corpus.refresh()

    def epoch(self, number: int, utterances: int) -> list[list[Spoken]]:
        generator = random.Random(f"{self.name}-{self.seed}-{number}")
        spoken = balanced(self.corpus.training(utterances))
        return [
            [spoken[i] for i in batch]
            for batch in batches([len(one.codes) for one in spoken], _CODES_A_STEP, generator)
        ]

    def step(self, batch: list[Spoken], done: float) -> Losses:
        self.optimiser.zero_grad()
        loss = self.loss(batch)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), _CLIP)
        self.optimiser.step()
        return {"ctc": loss.item()}

    def evaluate(self) -> Losses:
        return {f"ctc {voice}": float(self.loss(some)) for voice, some in self.corpus.held_out().items()}

    def loss(self, spoken: Sequence[Spoken]) -> Tensor:
        """CTC per phoneme, the mean over utterances."""
        lengths = torch.tensor([len(one.codes) for one in spoken])
        tokens = padded([one.codes for one in spoken], self.device)
        targets = [[i for i in one.text_ids if i in self.sounding] for one in spoken]
        log_probs = self.network(tokens, lengths.to(self.device)).transpose(0, 1)
        return F.ctc_loss(
            log_probs,
            torch.tensor([i for target in targets for i in target], device=self.device),
            lengths * SLOTS_PER_TOKEN,
            torch.tensor([len(target) for target in targets]),
            zero_infinity=True,
        )


def balanced(spoken: Sequence[Spoken]) -> list[Spoken]:
    """The utterances of an epoch: those of voices that have few come several times."""
    count: dict[str, int] = {}
    for one in spoken:
        count[one.voice] = count.get(one.voice, 0) + 1
    return [one for one in spoken for _ in range(_RARE_TIMES if count[one.voice] < _RARE_UTTERANCES else 1)]


def run(work: Path, model: Path, steps: int, device: torch.device) -> State:
    """Trains to `steps`; goes on from where it stopped."""
    return train(_begun(SpokenCorpus(work, model), model), work / "aligner", Schedule(steps), device=device)


def trained(corpus: SpokenCorpus, work: Path, model: Path) -> AlignerTraining:
    """The training in `work` as far as it has come, for use. Raises FileNotFoundError before it has begun."""
    training = _begun(corpus, model)
    training.network.load_state_dict(averaged(work / "aligner" / "aligner.pt", "aligner"))
    training.network.eval()
    return training


def _begun(corpus: SpokenCorpus, model: Path) -> AlignerTraining:
    config = ModelConfig.load(model).talker
    return AlignerTraining(corpus, AlignerConfig(config.speech_tokens, config.text_rows))
