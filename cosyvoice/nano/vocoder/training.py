"""The stage `vocoder`: mel to wave. First by spectra and phase alone, then against discriminators as well.

The f0 predictor stays as it is. The excitation is laid on the recording: its phase is the fundamental's, measured. In
a part of the rows it is what serving has, the predicted pitch summed up; then the phase loss says nothing.
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

from cosyvoice.checkpoint import VOCODER_FILES, find_file, load_state
from cosyvoice.config import ModelConfig
from cosyvoice.nano.corpus.rows import Utterance
from cosyvoice.nano.corpus.stage import Corpus
from cosyvoice.nano.data.features import whole_codes
from cosyvoice.nano.data.pitch import PitchStore
from cosyvoice.nano.data.store import Entry, FeatureStore
from cosyvoice.nano.training.loop import Losses, Schedule, State, Training, train
from cosyvoice.nano.training.muon import Muon
from cosyvoice.nano.vocoder.discriminators import Discriminators
from cosyvoice.nano.vocoder.losses import mel_loss, phase_loss, spectral_loss
from cosyvoice.vocoder.hift import Hift
from cosyvoice.vocoder.weight_norm import fuse_weight_norm

_MEL_FLOOR = math.log(1e-5)
_LOUDEST = 32767
_HELD_OUT_A_VOICE = 4


@dataclass(frozen=True)
class VocoderSettings:
    """Hyper-parameters.

    batch segments of `frames` frames a step; the first `unscored` frames lack their left context and do not count.
    voices: how often each is drawn (`mix`: all brief ones). alone: the part of the training before the discriminators
    join. blur: standard deviation, at most, of noise on the mel that is given: the flow's is not the recording's.
    """

    rate: float = 1.0e-3
    discriminator_rate: float = 1.5e-3
    batch: int = 8
    frames: int = 40
    unscored: int = 4
    steps_an_epoch: int = 200
    voices: tuple[tuple[str, float], ...] = (
        ("hibari", 0.3), ("zf_xiaoxiao", 0.3), ("zm_yunxi", 0.15), ("am_michael", 0.15), ("mix", 0.1),
    )  # fmt: skip
    gains: tuple[float, ...] = (1.0, 1.0, 0.7, 0.5)
    predicted: float = 0.4
    phase_jitter: float = 0.1  # radians
    blur: float = 0.2
    alone: float = 0.05
    judged_samples: int = 9600
    spectral: float = 0.4
    mel: float = 2.5
    phase: float = 0.4
    adversarial: float = 1.0
    matching: float = 2.0
    clip: float = 5.0


@dataclass(frozen=True)
class Segment:
    """A piece of an utterance: where it begins, how loud it is made, and whose pitch its excitation has."""

    entry: Entry
    start: int
    gain: float
    predicted: bool


class VocoderTraining(Training[list[Segment]]):
    """Learns from batches of short segments."""

    name = "vocoder"

    def __init__(self, work: Path, model: Path, settings: VocoderSettings) -> None:
        torch.manual_seed(self.seed)
        self.settings, self._work, self._corpus = settings, work, Corpus(work)
        config = ModelConfig.load(model)
        self.network = Hift(config.vocoder)
        self.begun = begin_with(self.network, fuse_weight_norm(load_state(find_file(model, VOCODER_FILES))))
        self.discriminators = Discriminators()
        self.network.f0_predictor.requires_grad_(False)
        self._made = Muon(self.network.named_parameters(), settings.rate, plain=("conv_post", "l_linear", "alpha"))
        self._waves: dict[str, NDArray[np.int16]] = {}
        self._judged = Muon(
            self.discriminators.named_parameters(), settings.discriminator_rate, momentum=0.9, plain=("judge",)
        )
        self._read()

    @property
    def modules(self) -> dict[str, nn.Module]:
        return {"vocoder": self.network, "discriminators": self.discriminators}

    @property
    def optimisers(self) -> dict[str, Muon]:
        return {"vocoder": self._made, "discriminators": self._judged}

    @property
    def notes(self) -> dict[str, Any]:
        return {**asdict(self.settings), "began with": self.begun}

    def utterances(self) -> int:
        self._read()
        return len(self._pitch.entries)

    def epoch(self, number: int, utterances: int) -> list[list[Segment]]:
        generator = random.Random(f"{self.name}-{self.seed}-{number}")
        voices = self._by_voice(self._pitch.entries[:utterances], held_out=False)
        known = [(voice, weight) for voice, weight in self.settings.voices if voice in voices]
        names, weights = zip(*known)
        return [
            [self._drawn(voices[v], generator) for v in generator.choices(names, weights, k=self.settings.batch)]
            for _ in range(self.settings.steps_an_epoch)
        ]

    def step(self, batch: list[Segment], done: float) -> Losses:
        s = self.settings
        made, recorded = self._spoken(batch, s.blur)
        spectral, mel = spectral_loss(made, recorded), mel_loss(made, recorded)
        aligned = torch.tensor([not segment.predicted for segment in batch], device=self.device)
        phase = phase_loss(made[aligned], recorded[aligned]) if aligned.any() else made.new_zeros(())
        loss = s.spectral * spectral + s.mel * mel + s.phase * phase
        losses = {"spectral": spectral.item(), "mel": mel.item(), "phase": phase.item()}
        if done >= s.alone:
            start = int(torch.randint(0, made.shape[1] - s.judged_samples + 1, ()))
            a, b = (wave[:, start : start + s.judged_samples] for wave in (made, recorded))
            self._judged.zero_grad()
            apart = self.discriminators.told_apart(b, a)
            apart.backward()
            self._judged.step()
            self.discriminators.requires_grad_(False)
            adversarial, matching = self.discriminators.fooled(b, a)
            self.discriminators.requires_grad_(True)
            loss = loss + s.adversarial * adversarial + s.matching * matching
            losses |= {"told apart": apart.item(), "adversarial": adversarial.item(), "matching": matching.item()}
        self._made.zero_grad()
        loss.backward()
        size = nn.utils.clip_grad_norm_(self.network.parameters(), s.clip)
        if torch.isfinite(size):
            self._made.step()
        return losses

    def evaluate(self) -> Losses:
        losses: Losses = {}
        for voice, entries in self._by_voice(self._pitch.entries, held_out=True).items():
            torch.manual_seed(self.seed)
            segments = [Segment(e, 0, 1.0, True) for e in entries[:_HELD_OUT_A_VOICE]]
            made, recorded = self._spoken(segments, 0.0)
            losses[f"spectral {voice}"] = float(spectral_loss(made, recorded))
            losses[f"mel {voice}"] = float(mel_loss(made, recorded))
        return losses

    def _read(self) -> None:
        self._features = FeatureStore(self._work)
        self._pitch = PitchStore(self._features)

    def _by_voice(self, entries: Sequence[Entry], *, held_out: bool) -> dict[str, list[Entry]]:
        """Utterances that are long enough, by voice, all brief voices together."""
        voices: dict[str, list[Entry]] = {}
        for entry in entries:
            if entry.utterance.style:  # WORLD's sound is no model of sound
                continue
            if entry.frames >= self.settings.frames and entry.utterance.held_out == held_out:
                voices.setdefault(entry.utterance.group, []).append(entry)
        return voices

    def _drawn(self, entries: Sequence[Entry], generator: random.Random) -> Segment:
        entry = generator.choice(entries)
        start = generator.randint(0, entry.frames - self.settings.frames)
        predicted = generator.random() < self.settings.predicted
        return Segment(entry, start, generator.choice(self.settings.gains), predicted)

    def _spoken(self, segments: Sequence[Segment], blur: float) -> tuple[Tensor, Tensor]:
        """What the vocoder makes of the segments, and their sound [B, samples], without the unscored frames."""
        s, config = self.settings, self.network.config
        frames = s.frames + config.look_right_frames
        mel = torch.full((len(segments), frames, config.mel_bins), _MEL_FLOOR)
        pitch = torch.zeros(len(segments), frames, 2)
        sound = torch.zeros(len(segments), s.frames * config.samples_per_frame)
        for row, segment in enumerate(segments):
            part = slice(segment.start, segment.start + frames)
            known = self._features.mel(segment.entry)[part]
            louder = known.astype(np.float32) + math.log(segment.gain)
            mel[row, : len(known)] = torch.from_numpy(np.maximum(louder, _MEL_FLOOR))
            pitch[row, : len(known)] = torch.from_numpy(self._pitch.of(segment.entry)[part].copy())
            piece = self._wave(segment.entry.utterance)[segment.start * config.samples_per_frame :][: sound.shape[1]]
            sound[row, : len(piece)] = torch.from_numpy(piece.astype(np.float32)) * (segment.gain / _LOUDEST)
        mel = mel.to(self.device).transpose(1, 2)
        mel = mel + blur * torch.rand(len(segments), 1, 1, device=self.device) * torch.randn_like(mel)
        f0, turned = pitch.to(self.device).unbind(-1)
        guessed = self.network.f0_predictor(mel).float()
        summed = (guessed.double() * config.samples_per_frame / config.sample_rate).cumsum(1)
        predicted = torch.tensor([segment.predicted for segment in segments], device=self.device)[:, None]
        jitter = s.phase_jitter * torch.randn_like(turned)
        anywhere = torch.rand(len(segments), 1, device=self.device)
        cycles = torch.where(predicted, summed + anywhere, (turned + jitter) / (2 * math.pi))
        samples = frames * config.samples_per_frame
        noise = torch.rand(len(segments), samples, config.harmonics + 1, device=self.device)
        made = self.network(mel, noise, torch.where(predicted, guessed, f0), cycles=cycles)
        scored = slice(s.unscored * config.samples_per_frame, s.frames * config.samples_per_frame)
        return made[:, scored], sound[:, scored].to(self.device)

    def _wave(self, utterance: Utterance) -> NDArray[np.int16]:
        """An utterance's sound; all that was once read stays in memory (170 MB an hour)."""
        if utterance.key not in self._waves:
            wave = whole_codes(self._corpus.wave(utterance))
            self._waves[utterance.key] = (wave * _LOUDEST).round().clip(-_LOUDEST, _LOUDEST).astype(np.int16)
        return self._waves[utterance.key]


def begin_with(network: nn.Module, weights: dict[str, Tensor]) -> int:
    """Takes over the weights that have the name and shape of the network's: how many. A vocoder of other sizes than
    the model's begins at random but for these."""
    own = network.state_dict()
    fitting = {name: weight for name, weight in weights.items() if name in own and own[name].shape == weight.shape}
    network.load_state_dict(own | fitting)
    return len(fitting)


def run(work: Path, model: Path, steps: int, settings: VocoderSettings, device: torch.device) -> State:
    """Trains to `steps`, beginning with the weights of `model`; goes on from where it stopped."""
    return train(VocoderTraining(work, model, settings), work / "vocoder", Schedule(steps), device=device)
