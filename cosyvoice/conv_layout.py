"""How a convolution's weight lies in memory."""

from __future__ import annotations

import torch
from torch import Tensor


def by_channels(weight: Tensor) -> Tensor:
    """A convolution's weight [out, in, kernel] with the input channels of a tap side by side in memory.

    On a CPU oneDNN then computes by steps and not by channels, and gives its result in this layout too. So it does not
    rearrange the signal before and after each convolution, which takes a third of the time of a short one.
    """
    if weight.device.type != "cpu" or weight.dtype is not torch.float32:
        return weight
    return weight.transpose(1, 2).contiguous().transpose(1, 2)
