"""Tensors that are packed for one copy."""

from __future__ import annotations

import torch

from cosyvoice.transfer import HostCopies, copy_to_host, packed, unpacked, upload

TENSORS = [
    torch.arange(5, dtype=torch.int16),
    torch.rand(3, 7),
    torch.rand(2, 3, 9, dtype=torch.float64),
    torch.zeros(0, 9, dtype=torch.float64),
    torch.rand(4, 6).t(),
    torch.tensor(2.5),
]


def test_what_is_packed_is_unpacked() -> None:
    """Types, shapes and numbers; empty ones, single numbers and views too."""
    for before, after in zip(TENSORS, unpacked(packed(TENSORS), TENSORS), strict=True):
        assert (before.dtype, before.shape) == (after.dtype, after.shape)
        assert torch.equal(before, after)


def test_copies_are_found_by_their_tensor() -> None:
    """Each has memory of its own, and stays when the tensor changes; what is wanted twice is copied once."""
    copies = HostCopies()
    copies.want(*TENSORS)
    copies.want(TENSORS[1])
    copies.fetch()
    for tensor in TENSORS:
        assert torch.equal(copies(tensor), tensor)
    kept = copies(TENSORS[1]).clone()
    TENSORS[1].add_(1)
    assert torch.equal(copies(TENSORS[1]), kept)
    assert copy_to_host(TENSORS[1]).data_ptr() != TENSORS[1].data_ptr()


def test_numbers_go_up_as_integers() -> None:
    """Of 64 bits, in one or two dimensions."""
    assert torch.equal(upload([1, 2], torch.device("cpu")), torch.tensor([1, 2]))
    assert upload([[1 << 40]], torch.device("cpu")).tolist() == [[1 << 40]]
