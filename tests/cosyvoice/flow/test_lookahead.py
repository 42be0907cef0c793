"""The look-ahead convolution: its reach, and computing it in pieces."""

from __future__ import annotations

import pytest
import torch

from cosyvoice.flow.lookahead import PreLookahead


@pytest.fixture(scope="module")
def layer() -> PreLookahead:
    """A small random layer."""
    torch.manual_seed(0)
    return PreLookahead(8, 12, 3).requires_grad_(False)


def test_an_output_sees_two_tokens_back_and_three_ahead(layer: PreLookahead) -> None:
    """Changing a token changes the outputs from three before it to two after it, and no others."""
    x = torch.randn(1, 20, 8)
    y = x.clone()
    y[0, 10] += 1
    changed = (layer(x, final=True) != layer(y, final=True)).any(-1)[0].nonzero().flatten()
    assert changed.tolist() == [7, 8, 9, 10, 11, 12]


@pytest.mark.parametrize("cut", [1, 2, 9, 17])
def test_pieces_join_to_the_whole(layer: PreLookahead, cut: int) -> None:
    """Outputs computed in two pieces, the second with up to two tokens of context, equal those of one pass."""
    x = torch.randn(2, 20, 8)
    context = min(2, cut)
    first = layer(x[:, : cut + 3], final=False)
    second = layer(x[:, cut - context :], final=True, context=context)
    torch.testing.assert_close(torch.cat([first, second], 1), layer(x, final=True), rtol=0, atol=1e-6)
