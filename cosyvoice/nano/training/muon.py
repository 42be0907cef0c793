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


def orthogonalised(matrices: Tensor) -> Tensor:
    """The nearest matrices [..., a, b] with singular values near 1, by Newton-Schulz iterations."""
    a, b, c = _NEWTON_SCHULZ
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(_NEWTON_SCHULZ_STEPS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    result: Tensor = x.mT if tall else x
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
        """One step; parameters without a gradient stay. Those of one shape step together: a GPU's time goes into the
        number of operations."""
        for group in self.param_groups:
            alike: dict[tuple[Any, ...], list[Tensor]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    state = self._state(parameter, group)
                    state["step"] += 1
                    shape = (*parameter.flatten(1).shape,) if group["muon"] else ()
                    alike.setdefault((*shape, parameter.dtype, float(state["step"])), []).append(parameter)
            for (*_, steps), parameters in alike.items():
                if group["muon"]:
                    self._muon(parameters, group)
                else:
                    self._adam(parameters, group, steps)

    def _state(self, parameter: Tensor, group: dict[str, Any]) -> dict[str, Tensor]:
        state: dict[str, Tensor] = self.state[parameter]
        if not state:
            state["step"] = torch.zeros(())
            for name in ("momentum",) if group["muon"] else ("mean", "square"):
                state[name] = torch.zeros_like(parameter)
        return state

    def _muon(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        """parameters: of one shape once they are matrices."""
        gradients = [p.grad for p in parameters if p.grad is not None]
        momenta = [self.state[p]["momentum"] for p in parameters]
        torch._foreach_mul_(momenta, group["momentum"])
        torch._foreach_add_(momenta, gradients)
        directions = torch._foreach_add(gradients, momenta, alpha=group["momentum"])
        moves = orthogonalised(torch.stack([direction.flatten(1) for direction in directions]))
        size = 0.2 * math.sqrt(max(moves.shape[1:]))
        torch._foreach_mul_(parameters, 1 - group["lr"] * group["decay"])
        shaped = [move.view_as(parameter) for move, parameter in zip(moves, parameters)]
        torch._foreach_add_(parameters, shaped, alpha=-group["lr"] * size)

    def _adam(self, parameters: list[Tensor], group: dict[str, Any], steps: float) -> None:
        gradients = [p.grad for p in parameters if p.grad is not None]
        means = [self.state[p]["mean"] for p in parameters]
        squares = [self.state[p]["square"] for p in parameters]
        torch._foreach_lerp_(means, gradients, 1 - _BETAS[0])
        torch._foreach_mul_(squares, _BETAS[1])
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - _BETAS[1])
        spreads = torch._foreach_sqrt(torch._foreach_div(squares, 1 - _BETAS[1] ** steps))
        torch._foreach_add_(spreads, _EPS)
        torch._foreach_addcdiv_(parameters, means, spreads, value=-group["lr"] / (1 - _BETAS[0] ** steps))


def _is_matrix(parameter: Tensor) -> bool:
    if parameter.ndim < 2:
        return False
    return min(parameter.shape[0], parameter.numel() // parameter.shape[0]) >= _SMALLEST_SIDE
