"""Which tests run side by side where pytest runs in several processes (pytest-xdist).

The tests of a file that belong to one tier stay in one process, and so do those of several files with the same mark
`xdist_group`. All tests of a tier that does not share the cores run in one process, too. The workers know the marks of
each test, because they import the tests; they write the groups to a file for the scheduler, which runs in the process
that started them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import pytest
from tiers import TIERS
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

WORKER_INPUT = "groups_file"


def group_of(item: pytest.Item, tier: str) -> str:
    """The tests of a group run one after the other, in one process."""
    if not TIERS[tier].shares_cores:
        return tier
    mark = item.get_closest_marker("xdist_group")
    return f"{tier}: {mark.args[0] if mark else item.nodeid.partition('::')[0]}"


def write_groups(path: Path, groups: Mapping[str, str]) -> None:
    """A worker's part. `groups`: the group of each test, by node id. Every worker writes the same."""
    unfinished = path.with_suffix(f".{os.getpid()}")
    unfinished.write_text(json.dumps(groups))
    unfinished.replace(path)


class TierScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist is not typed
    """Gives a worker one group after the other, in the order in which the tests were collected."""

    def __init__(self, config: pytest.Config, log: Producer | None, groups_file: Path) -> None:
        super().__init__(config, log)
        self._groups_file = groups_file

    @cached_property
    def _groups(self) -> Mapping[str, str]:
        groups: Mapping[str, str] = json.loads(self._groups_file.read_text())
        return groups

    def _split_scope(self, nodeid: str) -> str:
        return self._groups[nodeid]
