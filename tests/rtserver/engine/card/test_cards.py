"""Known GPUs and their names."""

from __future__ import annotations

import pytest

from rtserver.engine.card.cards import KNOWN_CARDS, Card, find_card


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("h100", "NVIDIA H100 80GB HBM3"),
        ("NVIDIA H100 80GB", "NVIDIA H100 80GB HBM3"),
        ("a100 40", "NVIDIA A100-SXM4-40GB"),
        ("A100 80GB", "NVIDIA A100-SXM4-80GB"),
        ("NVIDIA L20 48GB", "NVIDIA L20"),
        ("rtx 4090", "NVIDIA GeForce RTX 4090"),
        ("T4", "Tesla T4"),
    ],
)
def test_a_card_is_found_by_words_of_its_name(text: str, name: str) -> None:
    """In any case, with or without its memory and the maker's name."""
    assert find_card(text).name == name


@pytest.mark.parametrize("text", ["a100", "rtx", "voodoo 2", "", "h100 40gb"])
def test_a_name_of_no_card_or_of_several_is_refused(text: str) -> None:
    """The error lists the cards that it may be."""
    with pytest.raises(ValueError, match="expected a name of one of these"):
        find_card(text)


@pytest.mark.parametrize("card", KNOWN_CARDS, ids=lambda card: card.name)
def test_every_known_card_is_found_by_its_own_name(card: Card) -> None:
    """None hides another."""
    assert find_card(card.name) == card


@pytest.mark.parametrize(("name", "has"), [("t4", False), ("a100 40", True), ("rtx 3060", True)])
def test_bfloat16_needs_compute_capability_8(name: str, has: bool) -> None:
    """Older cards have none."""
    assert find_card(name).has_bf16 is has


@pytest.mark.parametrize("gigabytes", [0, -1, float("inf"), float("nan")])
def test_a_size_must_be_a_positive_number(gigabytes: float) -> None:
    """Nothing else is a memory."""
    with pytest.raises(ValueError, match="expected more than 0 GB"):
        Card.of_size(gigabytes)
