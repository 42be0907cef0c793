"""The digits of a speech code: the tokenizer quantises seven numbers to three steps each, and a code is their sum."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

DIGITS = 7
LEVELS = 3


def digits(codes: Tensor) -> Tensor:
    """Codes [...] -> digits [..., DIGITS], each 0, 1 or 2, the lowest first."""
    found: Tensor = codes[..., None] // LEVELS ** torch.arange(DIGITS) % LEVELS
    return found


@torch.no_grad()
def begin_anew(table: Tensor, generator: torch.Generator) -> None:
    """Puts related vectors in place of a table's rows of codes [at least LEVELS ** DIGITS, size], as large as those
    were: for weights that knew the codes of another tokenizer."""
    rows = table[: LEVELS**DIGITS]
    rows.copy_(related_vectors(rows.shape[1], generator) * rows.std())


def related_vectors(size: int, generator: torch.Generator) -> Tensor:
    """A vector for each code [LEVELS ** DIGITS, size] of unit variance: codes that share digits have vectors alike."""
    shown = F.one_hot(digits(torch.arange(LEVELS**DIGITS)), LEVELS).flatten(1).float()
    directions = torch.randn(DIGITS * LEVELS, size, generator=generator)
    return shown @ directions / math.sqrt(DIGITS)
