"""Rows of different length as one tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def padded(rows: Sequence[NDArray[Any]], device: torch.device, fill: float = 0) -> Tensor:
    """Rows [length, ...] of one type -> [rows, longest, ...] on the device, float32 or int64."""
    longest = max(len(row) for row in rows)
    together = np.full((len(rows), longest, *rows[0].shape[1:]), fill, rows[0].dtype)
    for place, row in zip(together, rows):
        place[: len(row)] = row
    tensor = torch.from_numpy(together).to(device)
    return tensor.float() if tensor.is_floating_point() else tensor.long()


def inside(lengths: Tensor, longest: int) -> Tensor:
    """Which places of padded rows are no padding [rows, longest]."""
    return torch.arange(longest, device=lengths.device)[None] < lengths[:, None]
