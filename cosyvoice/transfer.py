"""Numbers between the host and the models' device, with as few waits as possible.

A copy from ordinary memory makes the host wait for a GPU. So numbers go up through pinned memory, and what the host
wants of a hop comes down in one copy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# A host's copy of a tensor.
ToHost = Callable[[Tensor], Tensor]

# Parts of a packed copy begin at multiples of this, so that they can be read as any type.
_ALIGNMENT_BYTES = 8


def upload(numbers: Sequence[int] | Sequence[Sequence[int]], device: torch.device) -> Tensor:
    """The integers on the device, int64. Does not wait for the device."""
    if device.type != "cuda":
        return torch.tensor(numbers, dtype=torch.int64, device=device)
    return torch.tensor(numbers, dtype=torch.int64, pin_memory=True).to(device, non_blocking=True)


def upload_array(numbers: NDArray[np.int32], device: torch.device) -> Tensor:
    """The integers on the device, int32. Does not wait for the device."""
    tensor = torch.from_numpy(numbers)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def copy_to_host(tensor: Tensor) -> Tensor:
    """One tensor by itself, in memory of its own."""
    return tensor.to("cpu", copy=True)


class HostCopies:
    """Tensors of one device that the host wants, fetched together: `want` them, `fetch`, then call for each."""

    def __init__(self) -> None:
        # By the tensor's id. It is kept, so that its id is its own.
        self._wanted: dict[int, Tensor] = {}
        self._copies: dict[int, Tensor] = {}

    def want(self, *tensors: Tensor) -> None:
        """They are copied by the next `fetch`."""
        self._wanted |= {id(tensor): tensor for tensor in tensors}

    def fetch(self) -> None:
        """Copies everything that is wanted: one transfer, and one wait for the device."""
        tensors = list(self._wanted.values())
        if all(tensor.device.type == "cpu" for tensor in tensors):
            copies = [tensor.clone() for tensor in tensors]
        else:
            copies = unpacked(packed(tensors).cpu(), tensors)
        self._copies = dict(zip(self._wanted, copies, strict=True))

    def __call__(self, tensor: Tensor) -> Tensor:
        """The copy of a tensor that was wanted."""
        return self._copies[id(tensor)]


def packed(tensors: Sequence[Tensor]) -> Tensor:
    """The bytes of all, one tensor after another."""
    parts = []
    for tensor in tensors:
        parts.append(tensor.contiguous().reshape(-1).view(torch.uint8))
        parts.append(parts[-1].new_zeros(-parts[-1].numel() % _ALIGNMENT_BYTES))
    return torch.cat(parts)


def unpacked(data: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
    """The tensors of `packed(like)`, as views of `data`."""
    sizes = [tensor.numel() * tensor.itemsize for tensor in like]
    starts = accumulate((size + -size % _ALIGNMENT_BYTES for size in sizes), initial=0)
    return [
        data[start : start + size].view(tensor.dtype).reshape(tensor.shape)
        for start, size, tensor in zip(starts, sizes, like, strict=False)
    ]
