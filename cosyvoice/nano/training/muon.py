"""Muon for matrices and kernels, AdamW for everything else, as one optimiser."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
_NEWTON_SCHULZ_STEPS = 5
_SMALLEST_SIDE = 16  # narrower matrices are left to AdamW
_BETAS = (0.9, 0.98)
_EPS = 1e-8


def orthogonalised(matrix: Tensor) -> Tensor:
    """The nearest matrix [a, b] with singular values near 1, by Newton-Schulz iterations."""
    a, b, c = _NEWTON_SCHULZ
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(_NEWTON_SCHULZ_STEPS):
        gram = x @ x.T
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    result: Tensor = x.T if tall else x
    return result


class Muon(torch.optim.Optimizer):
    """Steps have Adam's size (0.2 * sqrt of the longer side), so one learning rate serves both halves.

    plain: parts of names of parameters that AdamW takes although they are matrices (embeddings, heads).
    """

    def __init__(
        self,
        parameters: Iterable[tuple[str, nn.Parameter]],
        rate: float,
        *,
        decay: float = 0.0,
        momentum: float = 0.95,
        plain: tuple[str, ...] = (),
    ) -> None:
        matrices: list[nn.Parameter] = []
        others: list[nn.Parameter] = []
        for name, parameter in parameters:
            if parameter.requires_grad:
                fits = _is_matrix(parameter) and not any(part in name for part in plain)
                (matrices if fits else others).append(parameter)
        groups: list[dict[str, Any]] = [
            {"params": matrices, "muon": True, "decay": decay},
            {"params": others, "muon": False, "decay": 0.0},
        ]
        super().__init__([g for g in groups if g["params"]], {"lr": rate, "base": rate, "momentum": momentum})

    def scale(self, factor: float) -> None:
        """Sets the learning rates to `factor` times what they were made with."""
        for group in self.param_groups:
            group["lr"] = group["base"] * factor

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step; parameters without a gradient stay."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    (self._muon if group["muon"] else self._adam)(parameter, parameter.grad, group)

    def _muon(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        state["momentum"].mul_(group["momentum"]).add_(gradient)
        direction = (gradient + group["momentum"] * state["momentum"]).flatten(1)
        size = 0.2 * math.sqrt(max(direction.shape))
        parameter.mul_(1 - group["lr"] * group["decay"])
        parameter.add_(orthogonalised(direction).view_as(parameter), alpha=-group["lr"] * size)

    def _adam(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros(())
            state["mean"], state["square"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        state["step"] += 1
        steps = float(state["step"])
        state["mean"].lerp_(gradient, 1 - _BETAS[0])
        state["square"].lerp_(gradient.square(), 1 - _BETAS[1])
        spread = (state["square"] / (1 - _BETAS[1] ** steps)).sqrt() + _EPS
        parameter.addcdiv_(state["mean"] / (1 - _BETAS[0] ** steps), spread, value=-group["lr"])


def _is_matrix(parameter: Tensor) -> bool:
    if parameter.ndim < 2:
        return False
    return min(parameter.shape[0], parameter.numel() // parameter.shape[0]) >= _SMALLEST_SIDE
