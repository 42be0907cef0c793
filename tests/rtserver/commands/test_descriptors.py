"""File descriptors for connections, and a reserve for the rest."""

from __future__ import annotations

import pytest

from rtserver.commands.descriptors import RESERVE, Descriptors
from rtserver.config import ConfigError


@pytest.mark.parametrize(
    ("soft", "hard", "limit", "connections"),
    [
        (1024, 1 << 20, 2256, 2000),  # what most machines have
        (4096, 4096, 4096, 2000),  # more than is needed stays
        (1024, 1500, 1500, 1244),
        (256, 600, 600, 344),
    ],
)
def test_the_soft_limit_is_raised_as_far_as_it_is_needed(soft: int, hard: int, limit: int, connections: int) -> None:
    """Two connections for each of 1,000 sockets, and a reserve. The hard limit is a bound."""
    assert Descriptors.planned(soft, hard, 1000) == Descriptors(limit, connections)
    assert limit - connections >= RESERVE


def test_too_few_descriptors_are_an_error() -> None:
    """It says what to do."""
    with pytest.raises(ConfigError, match="expected a limit of at least 272 open files, found 271: raise it"):
        Descriptors.planned(100, 271, 1000)
