"""The speaker vector of each voice of the corpus: what the flow is given, and what a speaker encoder shall hear."""

from __future__ import annotations

import zlib
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from cosyvoice.nano.corpus.voices import style_mixture

SPEAKER_SIZE = 192


@lru_cache(maxsize=4096)
def speaker_vector(voice: str) -> Tensor:
    """A unit vector [192]: a fixed direction for each of the teachers' own voices, and for a mixture of them the
    mixture of their directions."""
    mixed = torch.stack([weight * _direction(name) for name, weight in style_mixture(voice).items()]).sum(0)
    return F.normalize(mixed, dim=0)


def _direction(name: str) -> Tensor:
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    return F.normalize(torch.randn(SPEAKER_SIZE, generator=generator), dim=0)
