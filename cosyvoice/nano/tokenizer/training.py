"""The stage `tokenizer`: codes from which mel can be made again and phonemes be read.

For a checkpoint that is made anew. The shipped tokenizer is frozen, and this stage does not touch it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cosyvoice.config import ModelConfig
from cosyvoice.nano.corpus.voices import NAMED
from cosyvoice.nano.data.codes import TOKENIZER_FILE
from cosyvoice.nano.data.phonemes import PhonemeIds
from cosyvoice.nano.data.store import FRAMES_PER_CODE, Entry, FeatureStore
from cosyvoice.nano.tokenizer.network import CodeIndices, TokenizerNetwork
from cosyvoice.nano.training.batching import batches
from cosyvoice.nano.training.loop import Losses, Schedule, State, Training, averaged, train
from cosyvoice.nano.training.muon import Muon
from cosyvoice.nano.training.onnx_file import write_onnx
from cosyvoice.nano.training.padding import inside, padded
from cosyvoice.voice.features import WHISPER_BINS

_HELD_OUT = 60
_OTHER_VOICE = len(NAMED)  # all brief voices are one to the decoder
# Mean and spread of log mel, near enough for all voices: the decoder's output is of this scale.
_MEL_MEAN, _MEL_SPREAD = -6.0, 2.5


@dataclass(frozen=True)
class TokenizerSettings:
    """Hyper-parameters. reading: weight of CTC; balance: of the loss that keeps the digits' values in even use."""

    rate: float = 1.5e-3
    frames_a_step: int = 5000
    reading: float = 0.6
    balance: float = 0.05
    least_variance: float = 0.4
    clip: float = 5.0


class TokenizerTraining(Training[list[Entry]]):
    """Learns from batches of whole utterances."""

    name = "tokenizer"

    def __init__(self, work: Path, model: Path, settings: TokenizerSettings) -> None:
        torch.manual_seed(self.seed)
        self.settings, self._work = settings, work
        self._phonemes = PhonemeIds(model)
        self._voices = {voice.teacher: index for index, voice in enumerate(NAMED)}
        self._features = FeatureStore(work)
        self.network = TokenizerNetwork(len(NAMED) + 1, ModelConfig.load(model).talker.text_rows)
        self.optimiser = Muon(
            self.network.named_parameters(),
            settings.rate,
            plain=("project", "spread", "read.", "voice", "to_mel", "to_classes"),
        )

    @property
    def modules(self) -> dict[str, nn.Module]:
        return {"tokenizer": self.network}

    @property
    def optimisers(self) -> dict[str, Muon]:
        return {"tokenizer": self.optimiser}

    @property
    def notes(self) -> dict[str, Any]:
        return asdict(self.settings)

    def utterances(self) -> int:
        self._features = FeatureStore(self._work)
        return len(self._features.entries)

    def epoch(self, number: int, utterances: int) -> list[list[Entry]]:
        generator = random.Random(f"{self.name}-{self.seed}-{number}")
        entries = [one for one in self._features.entries[:utterances] if not one.utterance.held_out]
        made = batches([one.frames for one in entries], self.settings.frames_a_step, generator)
        return [[entries[i] for i in batch] for batch in made]

    def step(self, batch: list[Entry], done: float) -> Losses:
        losses, smooth = self._losses(batch)
        flat = smooth.flatten(0, 1)
        balance = flat.mean(0).square().sum() + F.relu(self.settings.least_variance - flat.var(0)).sum()
        total = losses["mel"] + self.settings.reading * losses["ctc"] + self.settings.balance * balance
        self.optimiser.zero_grad()
        total.backward()
        size = nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip)
        if torch.isfinite(size):
            self.optimiser.step()
        return {name: loss.item() for name, loss in losses.items()}

    def evaluate(self) -> Losses:
        held_out = [one for one in self._features.entries if one.utterance.held_out][:_HELD_OUT]
        if not held_out:
            return {}
        return {name: float(loss) for name, loss in self._losses(held_out)[0].items()}

    def _losses(self, batch: Sequence[Entry]) -> tuple[dict[str, Tensor], Tensor]:
        """The loss of mel (absolute and half the square) and CTC per phoneme; and the numbers before rounding."""
        codes = torch.tensor([one.codes for one in batch])
        whisper = padded([self._features.whisper(one) for one in batch], self.device)
        mel = padded([self._features.mel(one) for one in batch], self.device)
        within = inside(codes.to(self.device), int(codes.max()))[..., None].float()
        voices = [self._voices.get(one.utterance.voice, _OTHER_VOICE) for one in batch]
        rounded, smooth = self.network.encoder(whisper.transpose(1, 2), within)
        made = self.network.mel(rounded, torch.tensor(voices, device=self.device), within)
        apart = made - (mel - _MEL_MEAN) / _MEL_SPREAD
        counts = within.repeat_interleave(FRAMES_PER_CODE, 1)
        error = ((apart.abs() + 0.5 * apart.square()) * counts).sum() / counts.sum() / mel.shape[2]
        targets = [self._phonemes.sounding_of(one.utterance.phonemes) for one in batch]
        ctc = F.ctc_loss(
            self.network.phonemes(rounded, within).transpose(0, 1),
            torch.tensor([i for target in targets for i in target], device=self.device),
            codes * FRAMES_PER_CODE,
            torch.tensor([len(target) for target in targets]),
            zero_infinity=True,
        )
        return {"mel": error, "ctc": ctc}, smooth


def write_encoder(network: TokenizerNetwork, path: Path) -> None:
    """The encoder under the released tokenizer's input contract."""
    examples = {
        "feats": torch.zeros(1, WHISPER_BINS, 400),
        "feats_length": torch.tensor([400], dtype=torch.int32),
    }
    write_onnx(CodeIndices(network.encoder), path, examples, "indices", {"feats": [2], "indices": [1]})


def run(work: Path, model: Path, steps: int, settings: TokenizerSettings, device: torch.device) -> State:
    """Trains to `steps`, then writes WORK/tokenizer/speech_tokenizer_v3.onnx; goes on from where it stopped."""
    training = TokenizerTraining(work, model, settings)
    state = train(training, work / "tokenizer", Schedule(steps), device=device)
    training.to(torch.device("cpu"))
    training.network.load_state_dict(averaged(work / "tokenizer" / "tokenizer.pt", "tokenizer"))
    write_encoder(training.network, work / "tokenizer" / TOKENIZER_FILE)
    return state
