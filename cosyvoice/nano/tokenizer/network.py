"""The speech tokenizer: Whisper log-mel to codes of 40 ms, with what its training needs above the codes.

The encoder sees a bounded stretch: four blocks of seven codes reach 12 codes (half a second) to either side.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cosyvoice.nano.data.digits import DIGITS, LEVELS
from cosyvoice.nano.data.store import FRAMES_PER_CODE
from cosyvoice.voice.features import MEL_BINS, WHISPER_BINS

DIM = 256
_BLOCKS = 4
_READING_BLOCKS = 2
_KERNEL, _READING_KERNEL = 7, 9


class _Block(nn.Module):
    """A depthwise convolution in time and two linear maps, added to the input. [B, T, DIM] -> same."""

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.time = nn.Conv1d(DIM, DIM, kernel, padding=kernel // 2, groups=DIM)
        self.norm = nn.LayerNorm(DIM)
        self.up, self.down = nn.Linear(DIM, 2 * DIM), nn.Linear(2 * DIM, DIM)

    def forward(self, x: Tensor, inside: Tensor) -> Tensor:
        h = self.time((x * inside).transpose(1, 2)).transpose(1, 2)
        out: Tensor = x + self.down(F.gelu(self.up(self.norm(h))))
        return out


class Encoder(nn.Module):
    """Log-mel to seven numbers a code, each rounded to -1, 0 or 1."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(WHISPER_BINS, DIM, 4, stride=2, padding=1)
        self.second = nn.Conv1d(DIM, DIM, 4, stride=2, padding=1)
        self.blocks = nn.ModuleList(_Block(_KERNEL) for _ in range(_BLOCKS))
        self.norm = nn.LayerNorm(DIM)
        self.project = nn.Linear(DIM, DIGITS)

    def forward(self, mel: Tensor, inside: Tensor) -> tuple[Tensor, Tensor]:
        """Mel [B, 128, 4 N], inside [B, N, 1] -> rounded numbers [B, N, DIGITS], which pass gradients straight through,
        and the numbers before rounding."""
        x = F.gelu(self.second(F.gelu(self.first(mel)))).transpose(1, 2)
        for block in self.blocks:
            x = block(x, inside)
        smooth = torch.tanh(self.project(self.norm(x))) * 0.999
        return smooth + (smooth.round() - smooth).detach(), smooth


class CodeIndices(nn.Module):
    """The encoder under the released tokenizer's contract: feats [1, 128, T], feats_length [1] -> int32 [1, T // 4]."""

    places: Tensor

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.register_buffer("places", torch.tensor([LEVELS**i for i in range(DIGITS)], dtype=torch.int32))

    def forward(self, feats: Tensor, feats_length: Tensor) -> Tensor:
        rounded, _ = self.encoder(feats, torch.ones(1, 1, 1))
        codes = ((rounded.round().to(torch.int32) + 1) * self.places).sum(-1).to(torch.int32)
        counted: Tensor = codes[:, : torch.div(feats_length[0].to(torch.int64), 4, rounding_mode="floor")]
        return counted


class TokenizerNetwork(nn.Module):
    """Encoder, a decoder back to mel that is told the voice, and a reader of phonemes."""

    def __init__(self, voices: int, classes: int) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.voice = nn.Embedding(voices, DIM)
        self.spread = nn.Linear(DIGITS, FRAMES_PER_CODE * DIM)
        self.decoder = nn.ModuleList(_Block(_KERNEL) for _ in range(_BLOCKS))
        self.to_mel = nn.Sequential(nn.LayerNorm(DIM), nn.Linear(DIM, MEL_BINS))
        self.read = nn.Linear(DIGITS, DIM)
        self.reader = nn.ModuleList(_Block(_READING_KERNEL) for _ in range(_READING_BLOCKS))
        self.to_classes = nn.Sequential(nn.LayerNorm(DIM), nn.GELU(), nn.Linear(DIM, FRAMES_PER_CODE * classes))

    def mel(self, rounded: Tensor, voices: Tensor, inside: Tensor) -> Tensor:
        """Rounded numbers [B, N, DIGITS] -> normalised mel [B, 2 N, 80]."""
        x = self.spread(rounded).unflatten(-1, (FRAMES_PER_CODE, DIM)).flatten(1, 2) + self.voice(voices)[:, None]
        inside = inside.repeat_interleave(FRAMES_PER_CODE, 1)
        for block in self.decoder:
            x = block(x, inside)
        out: Tensor = self.to_mel(x)
        return out

    def phonemes(self, rounded: Tensor, inside: Tensor) -> Tensor:
        """Rounded numbers [B, N, DIGITS] -> log-probabilities of phonemes [B, 2 N, classes]."""
        x = self.read(rounded)
        for block in self.reader:
            x = block(x, inside)
        return F.log_softmax(self.to_classes(x).unflatten(-1, (FRAMES_PER_CODE, -1)).flatten(1, 2).float(), -1)
