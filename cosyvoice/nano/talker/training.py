"""The stage `talker`: text ids to speech codes, from the weights of a checkpoint or from nothing."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cosyvoice.checkpoint import load_talker_state
from cosyvoice.config import ModelConfig
from cosyvoice.frontend.tokenizer import Tokenizer
from cosyvoice.nano.aligner.alignment import Alignments
from cosyvoice.nano.corpus.manner import style_tag
from cosyvoice.nano.corpus.voices import HIBARI
from cosyvoice.nano.data.corpus_codes import Spoken, SpokenCorpus
from cosyvoice.nano.data.digits import begin_anew
from cosyvoice.nano.talker.guiding import AttentionGuide
from cosyvoice.nano.talker.network import TalkerNetwork
from cosyvoice.nano.talker.sequences import NO_TARGET, Learnt, TalkerExample, example
from cosyvoice.nano.training.batching import batches
from cosyvoice.nano.training.loop import Losses, Schedule, State, Training, train
from cosyvoice.nano.training.muon import Muon
from cosyvoice.nano.training.padding import padded

_SPACED = 0.5


@dataclass(frozen=True)
class TalkerSettings:
    """Hyper-parameters.

    alone: the part of sequences that are one utterance; of the others half are two and half as many as fit in
    `longest_codes`. guided: the weight of guided attention, at `guided_layer`.
    """

    rate: float = 1.0e-3
    decay: float = 0.02
    dropout: float = 0.05
    ids_a_step: int = 5000
    alone: float = 0.4
    bistream: float = 0.5
    longest_codes: int = 560
    guided: float = 0.05
    guided_layer: int = 3
    clip: float = 1.0
    plentiful: float = 0.35  # the part of hibari's utterances in an epoch: of this voice there is more than enough


class TalkerTraining(Training[list[TalkerExample]]):
    """Learns from batches of sequences."""

    name = "talker"

    def __init__(
        self,
        corpus: SpokenCorpus,
        alignments: Alignments,
        model: Path,
        settings: TalkerSettings,
        *,
        new_codes: bool = False,
    ) -> None:
        """new_codes: the model's weights are of another tokenizer."""
        torch.manual_seed(self.seed)
        config = ModelConfig.load(model)
        self.corpus, self.alignments, self.settings = corpus, alignments, settings
        tokenizer = Tokenizer.load(config)
        self._tokenizer = tokenizer
        self._space = tokenizer.encode(" ")
        self.network = TalkerNetwork(config.talker, settings.dropout)
        self.network.load_state_dict(load_talker_state(config)[1])
        if new_codes:
            for table in (self.network.speech_embedding.weight, self.network.llm_decoder.weight):
                begin_anew(table, torch.Generator().manual_seed(self.seed))
        self.optimiser = Muon(
            self.network.named_parameters(), settings.rate, decay=settings.decay, plain=("embed", "llm_decoder")
        )

    @property
    def modules(self) -> dict[str, nn.Module]:
        return {"talker": self.network}

    @property
    def optimisers(self) -> dict[str, Muon]:
        return {"talker": self.optimiser}

    @property
    def notes(self) -> dict[str, Any]:
        return asdict(self.settings)

    def utterances(self) -> int:
        self.corpus.refresh()
        self.alignments.refresh()
        return self.alignments.aligned(self.corpus)

    def epoch(self, number: int, utterances: int) -> list[list[TalkerExample]]:
        generator = random.Random(f"{self.name}-{self.seed}-{number}")
        chosen = [one for one in self.corpus.training(utterances) if self._is_read(one, generator)]
        voices: dict[tuple[str, str], list[Spoken]] = {}
        for one in chosen:
            voices.setdefault((one.voice, one.style), []).append(one)
        made = []
        for one in chosen:
            parts = self._parts(one, voices[one.voice, one.style], generator)
            bistream = generator.random() < self.settings.bistream
            made.append(self._example(parts, generator.random() < _SPACED, bistream=bistream))
        lengths = [len(one.ids) for one in made]
        return [[made[i] for i in batch] for batch in batches(lengths, self.settings.ids_a_step, generator)]

    def step(self, batch: list[TalkerExample], done: float) -> Losses:
        self.optimiser.zero_grad()
        ids = self._ids(batch)
        guide = AttentionGuide(self.network.config, batch, ids)
        entropy = self._cross_entropy(batch, ids, guide)
        guided = guide.loss()
        (entropy + self.settings.guided * guided).backward()
        size = nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip)
        if torch.isfinite(size):
            self.optimiser.step()
        return {"entropy": entropy.item(), "guided": guided.item(), "attends": guide.hits()}

    def evaluate(self) -> Losses:
        losses: Losses = {}
        for voice, some in self.corpus.held_out().items():
            aligned = [one for one in some if self.alignments.of(one) is not None]
            if not aligned:
                continue
            for bistream in (False, True):
                made = [self._example([one], False, bistream=bistream) for one in aligned]
                losses[f"{voice} {'bistream' if bistream else 'unistream'}"] = self._mean_entropy(made)
            long = [self._example(some, True, bistream=False) for some in self._joined(aligned)]
            losses[f"{voice} long"] = self._mean_entropy(long)
        return losses

    def _joined(self, spoken: Sequence[Spoken]) -> list[list[Spoken]]:
        """Utterances of a voice in a row, each row as long as the longest sequence may be."""
        rows: list[list[Spoken]] = []
        for one in spoken:
            codes = sum(len(o.codes) for o in [*rows[-1], one]) if rows else 0
            if not rows or rows[-1][-1].voice != one.voice or codes > self.settings.longest_codes:
                rows.append([])
            rows[-1].append(one)
        return rows

    def _mean_entropy(self, made: list[TalkerExample]) -> float:
        """Cross-entropy per target, over batches of like lengths."""
        total = targets = 0.0
        for batch in batches([len(one.ids) for one in made], self.settings.ids_a_step, random.Random(0)):
            some = [made[i] for i in batch]
            count = sum(int((one.targets != NO_TARGET).sum()) for one in some)
            total += float(self._cross_entropy(some, self._ids(some), None)) * count
            targets += count
        return total / targets

    def _ids(self, batch: Sequence[TalkerExample]) -> Tensor:
        return padded([one.ids for one in batch], self.device)

    def _cross_entropy(self, batch: Sequence[TalkerExample], ids: Tensor, guide: AttentionGuide | None) -> Tensor:
        targets = padded([one.targets for one in batch], self.device, NO_TARGET)
        hidden = self.network(ids, None if guide is None else (self.settings.guided_layer, guide))
        counts = targets != NO_TARGET
        return F.cross_entropy(self.network.head(hidden[counts]), targets[counts])

    def _is_read(self, one: Spoken, generator: random.Random) -> bool:
        """Whether an utterance is in this epoch: aligned, and of a plentiful voice's plain speech only some."""
        drawn = generator.random()
        rare = one.voice != HIBARI or bool(one.style)
        return self.alignments.of(one) is not None and (rare or drawn < self.settings.plentiful)

    def _parts(self, last: Spoken, voice: Sequence[Spoken], generator: random.Random) -> list[Spoken]:
        """The utterances of a sequence that ends with `last`."""
        drawn, alone = generator.random(), self.settings.alone
        most = 1 if drawn < alone else 2 if drawn < alone + (1 - alone) / 2 else len(voice)
        parts, codes = [last], len(last.codes)
        while len(parts) < most:
            before = generator.choice(voice)
            codes += len(before.codes)
            if codes > self.settings.longest_codes:
                break
            parts.insert(0, before)
        return parts

    def _example(self, parts: Sequence[Spoken], spaced: bool, *, bistream: bool) -> TalkerExample:
        """spaced: a space joins the second text to the first, as sentences of one text; none does after a prompt.
        All later texts follow with a space. The style is that of the first part, and must be that of all."""
        learnt = []
        for index, one in enumerate(parts):
            lead = self._space if index > 1 or (index == 1 and spaced) else []
            said_by = self.alignments.of(one)
            assert said_by is not None
            learnt.append(Learnt([*lead, *one.text_ids], one.codes.tolist(), (said_by + len(lead)).tolist()))
        return example(self.network.config, self._head(parts[0].style), learnt, bistream=bistream)

    def _head(self, style: str) -> list[int]:
        tag = [self._tokenizer.special(style_tag(style))] if style else []
        return [*tag, self._tokenizer.end_of_prompt_id]


def run(
    work: Path, model: Path, steps: int, settings: TalkerSettings, device: torch.device, *, new_codes: bool = False
) -> State:
    """Trains to `steps`, beginning with the weights of `model`; goes on from where it stopped."""
    training = TalkerTraining(SpokenCorpus(work, model), Alignments(work), model, settings, new_codes=new_codes)
    return train(training, work / "talker", Schedule(steps), device=device)
