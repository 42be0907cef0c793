"""Products and segmented attention against torch's public operations."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cosyvoice.flow.kernels import attend, attend_plain, for_linear, linear, linear_gelu, mish


def random(*size: int, seed: int = 0) -> Tensor:
    """Normal random numbers."""
    return torch.randn(size, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("lengths", [(7,), (7, 1), (50, 20, 33)])
def test_attend_over_segments_is_attention_over_their_join(lengths: tuple[int, ...]) -> None:
    """Any cut of the keys into segments, as views of larger memory, gives the same output."""
    query = random(2, 3, 11, 16)
    memory = [random(2, 2, 3, 60, 16, seed=n) * 3 for n in lengths]
    segments = [(kv[0, :, :, :n], kv[1, :, :, :n]) for kv, n in zip(memory, lengths, strict=True)]
    keys, values = (torch.cat([s[i] for s in segments], 2) for i in (0, 1))
    expected = F.scaled_dot_product_attention(query, keys, values)
    torch.testing.assert_close(attend(query, segments), expected, rtol=1e-5, atol=1e-5)


def test_attend_survives_scores_far_apart() -> None:
    """A segment whose scores exceed another's by hundreds takes all the weight, without overflow."""
    query = torch.ones(1, 1, 1, 4)
    low, high = torch.full((1, 1, 2, 4), -300.0), torch.full((1, 1, 2, 4), 300.0)
    out = attend(query, [(low, low), (high, torch.full_like(high, 5.0)), (low, low)])
    torch.testing.assert_close(out, torch.full((1, 1, 1, 4), 5.0))


def test_plain_attention_agrees() -> None:
    """The public-operations form gives the same output and log-sum-exp as the definition."""
    query, keys, values = random(2, 3, 5, 16), random(2, 3, 9, 16, seed=1), random(2, 3, 9, 16, seed=2)
    out, total = attend_plain(query, keys, values)
    torch.testing.assert_close(out, F.scaled_dot_product_attention(query, keys, values), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(total, torch.logsumexp(query @ keys.transpose(-1, -2) / 4, -1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_linear_agrees_with_torch(dtype: torch.dtype) -> None:
    """Both products equal torch's, with and without bias, in both types."""
    x, weight, bias = (t.to(dtype) for t in (random(2, 6, 40), random(24, 40, seed=1) / 6, random(24, seed=2)))
    tolerance = 1e-5 if dtype == torch.float32 else 3e-2
    plain = F.linear(x, weight, bias)
    torch.testing.assert_close(linear(x, weight, bias), plain, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(linear(x, weight, None), F.linear(x, weight), rtol=tolerance, atol=tolerance)
    gelu = F.gelu(plain, approximate="tanh")
    torch.testing.assert_close(linear_gelu(x, weight, bias), gelu, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_weight_laid_out_for_products_is_the_same_weight(dtype: torch.dtype) -> None:
    """Its numbers and shape stay, also of a part of a larger weight, and the product is torch's."""
    x, whole = random(6, 40).to(dtype), random(24, 70, seed=1).to(dtype) / 6
    weight = whole[:, 30:]
    laid_out = for_linear(weight)
    assert torch.equal(laid_out, weight)
    tolerance = 1e-5 if dtype == torch.float32 else 3e-2
    torch.testing.assert_close(linear(x, laid_out, None), F.linear(x, weight), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_activations_hold_from_end_to_end_of_their_range(dtype: torch.dtype) -> None:
    """GELU and Mish are torch's from numbers that vanish to numbers that stay, without overflow or NaN."""
    x = torch.cat([torch.linspace(-12, 25, 3000), torch.tensor([-1e30, -1e4, -100.0, 0.0, 100.0, 1e4, 1e30])]).to(dtype)
    tolerance = 2e-6 if dtype == torch.float32 else 1e-2
    torch.testing.assert_close(mish(x), F.mish(x), rtol=tolerance, atol=tolerance)
    same, zero = torch.ones(1, 1, dtype=dtype), torch.zeros(1, dtype=dtype)
    gelu = F.gelu(x, approximate="tanh")
    torch.testing.assert_close(linear_gelu(x[:, None], same, zero)[:, 0], gelu, rtol=tolerance, atol=tolerance)
