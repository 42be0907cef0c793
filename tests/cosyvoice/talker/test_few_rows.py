"""Products for few rows, with weights in 16 bits."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cosyvoice.talker.few_rows import FEW_ROWS, few_row_products, for_few_rows


@pytest.mark.parametrize("biased", [False, True])
def test_the_product_is_that_of_float32(biased: bool) -> None:
    """Of each row, up to the order of sums."""
    torch.manual_seed(0)
    weight, bias = torch.randn(70, 33).half().float(), torch.randn(70) if biased else None
    x = torch.randn(FEW_ROWS, 33)
    product = for_few_rows(weight, bias)
    if product is None:
        pytest.skip("this processor has no AVX2")
    right = torch.nn.functional.linear(x.double(), weight.double(), None if bias is None else bias.double())
    for rows in (1, 2, FEW_ROWS):
        torch.testing.assert_close(product(x[:rows]).double(), right[:rows], rtol=1e-5, atol=1e-4)


def test_no_weight_is_changed() -> None:
    """There is no product where 16 bits cannot hold a weight, and none of other types."""
    weight = torch.randn(8, 8).half().float()
    for changed in (1 + 2**-12, 1e5, 1e-9, float("nan")):
        other = weight.clone()
        other[3, 4] = changed
        assert for_few_rows(other, None) is None
    assert for_few_rows(weight.bfloat16(), None) is None


def test_modules_that_have_none_are_left_out() -> None:
    exact, other = nn.Linear(4, 4), nn.Linear(4, 4)
    exact.weight.data = exact.weight.data.half().float()
    other.weight.data[0, 0] = 1 + 2**-12
    assert other not in few_row_products([exact, other])
