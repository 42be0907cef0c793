"""A running average of weights: steadier than the weights of any one step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

_LONGEST = 0.997  # the weight of what is there already; less in the first steps


class Average:
    """The averages of all tensors of some modules, by module and name; what is not a float is the latest."""

    def __init__(self, modules: Mapping[str, nn.Module]) -> None:
        self._modules = modules
        self.weights = {name: _copy(module) for name, module in modules.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Takes in the weights after step 0, 1, ..."""
        kept = min(_LONGEST, (1 + step) / (10 + step))
        for name, module in self._modules.items():
            latest = module.state_dict()
            floats = [key for key, tensor in latest.items() if tensor.is_floating_point()]
            averages = self.weights[name]
            torch._foreach_lerp_([averages[key] for key in floats], [latest[key] for key in floats], 1 - kept)
            for key in latest.keys() - set(floats):
                averages[key].copy_(latest[key])

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The modules hold their averages meanwhile."""
        own = {name: _copy(module) for name, module in self._modules.items()}
        try:
            for name, module in self._modules.items():
                module.load_state_dict(self.weights[name])
            yield
        finally:
            for name, module in self._modules.items():
                module.load_state_dict(own[name])


def _copy(module: nn.Module) -> dict[str, Tensor]:
    return {key: tensor.detach().clone() for key, tensor in module.state_dict().items()}
