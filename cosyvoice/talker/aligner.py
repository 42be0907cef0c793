"""The aligner: which phoneme a speech token says. With it, words are placed in time while speech is made.

It is a small network over speech tokens, trained with CTC. It sees a few tokens ahead, so it can run while tokens come.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from cosyvoice.checkpoint import ALIGNER_FILE, check_finite, load_module, load_state
from cosyvoice.config import ModelConfig
from cosyvoice.errors import CheckpointError
from cosyvoice.talker.alignment import BLANK

SLOTS_PER_TOKEN = 2  # CTC needs at least as many slots as phonemes, and one token can say two phonemes
_KERNEL = 7
_FFN = 2


@dataclass(frozen=True)
class AlignerConfig:
    """Sizes of the aligner."""

    speech_tokens: int
    # Rows of the text table. The blank has id 0, which is no phoneme's.
    classes: int
    dim: int = 160
    layers: int = 4
    lookahead_tokens: int = 3

    @property
    def context_tokens(self) -> int:
        """How many tokens before a token the slots of that token depend on."""
        return self.layers * (_KERNEL - 1) - self.lookahead_tokens


class _Block(nn.Module):
    """A depthwise convolution in time and two linear maps, added to the input. [B, N, dim] -> same."""

    def __init__(self, dim: int, ahead: int) -> None:
        super().__init__()
        self.pad = (_KERNEL - 1 - ahead, ahead)
        self.time = nn.Conv1d(dim, dim, _KERNEL, groups=dim)
        self.norm = nn.LayerNorm(dim)
        self.up, self.down = nn.Linear(dim, _FFN * dim), nn.Linear(_FFN * dim, dim)

    def forward(self, x: Tensor, inside: Tensor) -> Tensor:
        h = self.time(F.pad((x * inside).transpose(1, 2), self.pad)).transpose(1, 2)
        out: Tensor = x + self.down(F.gelu(self.up(self.norm(h))))
        return out


class Aligner(nn.Module):
    """Speech tokens to log-probabilities of phonemes, two slots a token."""

    def __init__(self, config: AlignerConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.speech_tokens, config.dim)
        # Only the first block looks ahead, by as many tokens as the whole network may.
        self.blocks = nn.ModuleList(
            _Block(config.dim, config.lookahead_tokens if i == 0 else 0) for i in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.dim)
        self.head = nn.Linear(config.dim, SLOTS_PER_TOKEN * config.classes)

    def forward(self, tokens: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Tokens [B, N] -> log-probabilities [B, N * SLOTS_PER_TOKEN, classes]. After `lengths` [B] tokens comes
        padding."""
        count = tokens.shape[1]
        at = torch.arange(count, device=tokens.device)
        inside = torch.ones_like(tokens) if lengths is None else at[None] < lengths[:, None]
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x, inside[..., None].to(x.dtype))
        logits = self.head(self.norm(x)).unflatten(-1, (SLOTS_PER_TOKEN, -1)).flatten(1, 2)
        return F.log_softmax(logits.float(), -1)


class AlignerStream:
    """The slots of one sequence, computed once each while tokens come. The numbers are those of one pass over all."""

    def __init__(self, aligner: Aligner) -> None:
        self._aligner = aligner
        self._done = 0  # tokens whose slots are out

    @torch.inference_mode()
    def feed(self, tokens: Sequence[int], done: int, *, final: bool = False) -> NDArray[np.float32]:
        """Log-probabilities [slots, classes] of the next slots, up to the first `done` tokens. tokens: all of the
        sequence so far; at least `lookahead_tokens` more than `done`, unless the sequence has ended (`final`)."""
        config = self._aligner.config
        if not final and len(tokens) < done + config.lookahead_tokens:
            raise ValueError(f"expected {config.lookahead_tokens} tokens after {done}, found {len(tokens) - done}")
        start = max(0, self._done - config.context_tokens)
        window = tokens[start:] if final else tokens[start : done + config.lookahead_tokens]
        if done <= self._done:
            return np.zeros((0, config.classes), np.float32)
        slots: NDArray[np.float32] = self._aligner(torch.tensor([window]))[0].numpy()
        first, self._done = self._done, done
        return slots[(first - start) * SLOTS_PER_TOKEN : (done - start) * SLOTS_PER_TOKEN]


def load_aligner(config: ModelConfig) -> Aligner | None:
    """The aligner of a model directory; None when it has none. Raises CheckpointError when the file does not fit."""
    path = config.directory / ALIGNER_FILE
    if not path.exists():
        return None
    if config.serving.text != "phonemes":
        raise CheckpointError(
            f"{path}: expected text ids that are phonemes, found serving.json with text {config.serving.text!r}: "
            "remove the aligner"
        )
    aligner, state = Aligner(AlignerConfig(config.talker.speech_tokens, config.talker.text_rows)), load_state(path)
    if config.flow.lookahead_tokens < aligner.config.lookahead_tokens:
        raise CheckpointError(
            f"{path}: expected at most {config.flow.lookahead_tokens} tokens of look-ahead, as many as the flow has, "
            f"found {aligner.config.lookahead_tokens}"
        )
    load_module(path, aligner, state)
    check_finite(path, state)
    return aligner


def best_path(log_probs: NDArray[np.float32], phonemes: Sequence[int]) -> NDArray[np.float64] | None:
    """The slot in the middle of each phoneme, on CTC's best path through all phonemes. log_probs: [slots, classes].
    None when there are too few slots for the phonemes.
    """
    slots, count = len(log_probs), len(phonemes)
    labels = np.full(2 * count + 1, BLANK)
    labels[1::2] = phonemes
    # A step over the blank between two phonemes is possible when they differ.
    skips = np.zeros(len(labels), bool)
    skips[3::2] = labels[3::2] != labels[1:-2:2]
    repeats = int((labels[3::2] == labels[1:-2:2]).sum())
    if not count or count + repeats > slots:
        return None
    score = np.full(len(labels), -np.inf)
    score[:2] = log_probs[0, labels[:2]]
    back = np.zeros((slots, len(labels)), np.int8)
    for slot in range(1, slots):
        steps = np.full((3, len(labels)), -np.inf)
        steps[0], steps[1, 1:] = score, score[:-1]
        steps[2, 2:] = np.where(skips[2:], score[:-2], -np.inf)
        back[slot] = steps.argmax(0)
        score = steps.max(0) + log_probs[slot, labels]
    at = len(labels) - 1 if score[-1] >= score[-2] else len(labels) - 2
    sums, visits = np.zeros(count), np.zeros(count)
    for slot in range(slots - 1, -1, -1):
        if at % 2:
            sums[at // 2] += slot
            visits[at // 2] += 1
        at -= int(back[slot, at])
    return sums / visits if visits.all() else None
