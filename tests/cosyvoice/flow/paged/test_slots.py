"""How many slots the steps of some hops have."""

from __future__ import annotations

import pytest

from cosyvoice.flow.paged.slots import SLOT_CLASSES, slot_classes


@pytest.mark.parametrize(
    ("most_hops", "classes"),
    [(1, (1, 2)), (3, (1, 2, 4, 8)), (4, (1, 2, 4, 8)), (5, (1, 2, 4, 8, 12)), (0, SLOT_CLASSES), (64, SLOT_CLASSES)],
)
def test_there_are_as_many_sizes_as_the_hops_need(most_hops: int, classes: tuple[int, ...]) -> None:
    """The largest has room for two slots of each hop."""
    assert slot_classes(most_hops) == classes
