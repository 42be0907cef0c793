"""Which of several ways to compute something is the first that gives what plain PyTorch gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor

_Way = TypeVar("_Way")
_Size = TypeVar("_Size")


def first_right(
    who: str,
    ways: Sequence[tuple[str, Callable[[], _Way]]],
    deviation: Callable[[_Way, _Size], float],
    sizes: Mapping[str, _Size],
    tolerance: float,
    tell: Callable[[str], None],
) -> _Way | None:
    """The first way that deviates from plain PyTorch by `tolerance` at most, at all sizes. None when there is none.
    What is not right, or cannot be made, is told with its reason. who: computes so, in words. sizes: by their words.
    """
    for name, make in ways:
        try:
            way = make()
            found, words = max((deviation(way, size), words) for words, size in sizes.items())
        except Exception as error:  # what fails here must not serve, and must not keep the server from starting
            tell(f"{who} does not use {name}: {type(error).__name__}: {error}")
            continue
        if found <= tolerance:
            tell(f"{who} uses {name}: it deviates from plain PyTorch by {found:.1e} at most")
            return way
        tell(
            f"{who} does not use {name}: with {words} it deviates from plain PyTorch by {found:.1e}, "
            f"expected at most {tolerance:.0e}"
        )
    tell(f"{who} uses plain PyTorch")
    return None


def relative_deviation(found: Tensor, right: Tensor) -> float:
    """As a share of what is right. NaN counts as infinite. The sums are in float64. The differences are made part by
    part of the first axis, because a page of keys and values is large."""
    norm = partial(torch.linalg.vector_norm, dtype=torch.float64)
    off = torch.stack([norm(some - rights) for some, rights in zip(found, right, strict=True)])
    return float((norm(off) / norm(right)).nan_to_num(torch.inf))
