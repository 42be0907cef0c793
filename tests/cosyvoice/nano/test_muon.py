"""The optimiser: what it does to matrices and to the rest."""

from __future__ import annotations

import torch
from torch import nn

from cosyvoice.nano.training.muon import Muon, orthogonalised


def test_singular_values_come_near_one() -> None:
    """Newton-Schulz brings the singular values of a random matrix near 1, wide or tall."""
    torch.manual_seed(0)
    for shape in ((32, 48), (48, 32)):
        values = torch.linalg.svdvals(orthogonalised(torch.randn(shape)))
        assert values.max() < 1.3 and values.min() > 0.4


def test_it_fits_a_linear_map() -> None:
    """A few steps bring the loss of a small network down by much."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(20, 64), nn.Tanh(), nn.Linear(64, 20))
    optimiser = Muon(network.named_parameters(), 2e-2)
    x = torch.randn(256, 20)
    y = x @ torch.randn(20, 20) / 4
    first = last = 0.0
    for _ in range(120):
        optimiser.zero_grad()
        loss = (network(x) - y).square().mean()
        loss.backward()
        optimiser.step()
        first, last = first or loss.item(), loss.item()
    assert last < 0.1 * first


def test_plain_names_and_narrow_matrices_are_left_to_adam() -> None:
    """Embeddings named plain, biases and narrow matrices have Adam's state, wide matrices Muon's."""
    module = nn.ModuleDict({"embed": nn.Embedding(32, 32), "wide": nn.Linear(32, 32), "narrow": nn.Linear(32, 3)})
    optimiser = Muon(module.named_parameters(), 1e-3, plain=("embed",))
    sum(p.square().sum() for p in module.parameters()).backward()  # type: ignore[union-attr]
    optimiser.step()
    by_muon = {name for name, p in module.named_parameters() if "momentum" in optimiser.state[p]}
    assert by_muon == {"wide.weight"}


def test_scale_sets_the_rate_relative_to_the_first() -> None:
    """Two scalings do not add up."""
    optimiser = Muon(nn.Linear(16, 16).named_parameters(), 0.1)
    optimiser.scale(0.5)
    optimiser.scale(0.5)
    assert [group["lr"] for group in optimiser.param_groups] == [0.05, 0.05]
