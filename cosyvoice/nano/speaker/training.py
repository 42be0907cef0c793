"""The stage `speaker`: from a few seconds of any voice to the direction that the flow knows it by.

The brief voices are mixtures of the teachers' voices, and so are their directions: the encoder learns a space in
which a voice never heard lies between those that were.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cosyvoice.nano.corpus.rows import Utterance
from cosyvoice.nano.corpus.stage import Corpus
from cosyvoice.nano.corpus.teachers import SAMPLE_RATE
from cosyvoice.nano.data.speakers import speaker_vector
from cosyvoice.nano.speaker.network import SpeakerEncoder
from cosyvoice.nano.training.loop import Losses, Schedule, State, Training, averaged, train
from cosyvoice.nano.training.muon import Muon
from cosyvoice.nano.training.onnx_file import write_onnx
from cosyvoice.voice.features import FBANK_BINS, TOKENIZER_RATE_HZ, fbank, resample

SPEAKER_FILE = "campplus.onnx"
_BANKS_A_SECOND = 100
_HELD_OUT_VOICES = 8  # of the brief voices of each language, the last ones


@dataclass(frozen=True)
class SpeakerSettings:
    """Hyper-parameters.

    batch crops of `seconds` a step (a shorter utterance is repeated). Each utterance has a gain and `noise` (standard
    deviation, at most) of its own. named: the part of crops from voices with names, of which there are few and each has
    much.
    """

    rate: float = 1.5e-3
    batch: int = 24
    seconds: float = 2.5
    noise: float = 0.003
    gains: tuple[float, float] = (0.3, 1.0)
    named: float = 0.3
    steps_an_epoch: int = 100
    clip: float = 1.0


class SpeakerTraining(Training[list[Utterance]]):
    """Learns from crops of utterances, voices drawn evenly."""

    name = "speaker"

    def __init__(self, work: Path, settings: SpeakerSettings) -> None:
        torch.manual_seed(self.seed)
        self.settings, self._corpus = settings, Corpus(work)
        self._banks: dict[str, NDArray[np.float16]] = {}
        self.network = SpeakerEncoder()
        self.optimiser = Muon(self.network.named_parameters(), settings.rate, plain=("last", "first"))
        self._spoken = list(self._corpus.utterances())

    @property
    def modules(self) -> dict[str, nn.Module]:
        return {"speaker": self.network}

    @property
    def optimisers(self) -> dict[str, Muon]:
        return {"speaker": self.optimiser}

    @property
    def notes(self) -> dict[str, Any]:
        return asdict(self.settings)

    def utterances(self) -> int:
        self._spoken = list(self._corpus.utterances())
        return len(self._spoken)

    def epoch(self, number: int, utterances: int) -> list[list[Utterance]]:
        generator = random.Random(f"{self.name}-{self.seed}-{number}")
        voices: dict[str, list[Utterance]] = {}
        held_out = held_out_voices(self._spoken)
        for one in self._spoken[:utterances]:
            if one.voice not in held_out and not one.held_out:
                voices.setdefault(one.voice, []).append(one)
        named = [voice for voice in sorted(voices) if not _is_brief(voice)]
        brief = [voice for voice in sorted(voices) if _is_brief(voice)] or named

        def drawn() -> Utterance:
            among = named if named and generator.random() < self.settings.named else brief
            return generator.choice(voices[generator.choice(among)])

        return [[drawn() for _ in range(self.settings.batch)] for _ in range(self.settings.steps_an_epoch)]

    def step(self, batch: list[Utterance], done: float) -> Losses:
        self.optimiser.zero_grad()
        loss = self._loss(batch)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip)
        self.optimiser.step()
        return {"angle": loss.item()}

    def evaluate(self) -> Losses:
        voices = held_out_voices(self._spoken)
        unseen = [one for one in self._spoken if one.voice in voices][:: max(1, len(voices) // 4)]
        unheard = [one for one in self._spoken if one.held_out and one.voice not in voices][:48]
        sets = {"unseen voices": unseen[:48], "unheard texts": unheard}
        torch.manual_seed(self.seed)
        return {f"angle {name}": float(self._loss(some)) for name, some in sets.items() if some}

    def _loss(self, batch: Sequence[Utterance]) -> Tensor:
        """One less the cosine between what is heard and the voice's direction."""
        heard = self.network(torch.stack([self._crop(one) for one in batch]))
        cosine: Tensor = (heard * torch.stack([speaker_vector(one.voice) for one in batch])).sum(-1).mean()
        return 1 - cosine

    def _crop(self, one: Utterance) -> Tensor:
        """Filter banks [frames, 80] of a piece of an utterance, drawn by torch's generator, less their mean."""
        size = int(self.settings.seconds * _BANKS_A_SECOND)
        if one.key not in self._banks:
            self._banks[one.key] = self._heard(one).numpy().astype(np.float16)
        banks = torch.from_numpy(self._banks[one.key]).float()
        banks = banks.repeat(-(-size // len(banks)), 1)
        start = int(torch.randint(0, len(banks) - size + 1, ()))
        piece = banks[start : start + size]
        return piece - piece.mean(0)

    def _heard(self, one: Utterance) -> Tensor:
        """Filter banks [frames, 80] of an utterance with its gain and noise. All that was once heard stays in memory
        (58 MB an hour)."""
        generator = torch.Generator().manual_seed(zlib.crc32(one.key.encode()))
        low, high = self.settings.gains
        gain, level = torch.rand(2, generator=generator)
        wave = torch.from_numpy(self._corpus.wave(one)) * (low + (high - low) * gain)
        wave = wave + self.settings.noise * level * torch.randn(len(wave), generator=generator)
        return fbank(resample(wave, SAMPLE_RATE, TOKENIZER_RATE_HZ))


def held_out_voices(spoken: Sequence[Utterance]) -> set[str]:
    """The brief voices that no training of the encoder hears: the last of each language."""
    voices = sorted({one.voice for one in spoken if _is_brief(one.voice)})
    by_language = {voice.rpartition("-")[0] for voice in voices}
    return {v for prefix in by_language for v in [v for v in voices if v.startswith(prefix)][-_HELD_OUT_VOICES:]}


def _is_brief(voice: str) -> bool:
    return "-" in voice


def write_encoder(encoder: SpeakerEncoder, path: Path) -> None:
    """The encoder as a network of one input [1, frames, 80] and one output [1, 192]."""
    write_onnx(encoder, path, {"input": torch.zeros(1, 200, FBANK_BINS)}, "output", {"input": [1]})


def run(work: Path, steps: int, settings: SpeakerSettings) -> State:
    """Trains to `steps`, then writes WORK/speaker/campplus.onnx; goes on from where it stopped."""
    training = SpeakerTraining(work, settings)
    state = train(training, work / "speaker", Schedule(steps))
    training.network.load_state_dict(averaged(work / "speaker" / "speaker.pt", "speaker"))
    write_encoder(training.network, work / "speaker" / SPEAKER_FILE)
    return state
