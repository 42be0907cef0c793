"""The whole server with random weights of the released layout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.model.true_size import main, parsed

pytestmark = pytest.mark.engine


def test_three_clients_are_heard_with_small_networks_in_bfloat16(tmp_path: Path) -> None:
    """The layout and the data types are those of the true size; every process has its memory noted."""
    file = tmp_path / "result.json"
    assert main(parsed(["--small", "--dtypes", "bfloat16", "--json", str(file)])) == 0
    found = json.loads(file.read_text(encoding="utf-8"))["bfloat16"]
    assert len(found["streams"]["clients"]) == 3 and not found["died"]
    assert set(found["memory_mib"]) >= {"front", "reader", "talker", "acoustic"}
    assert all(0 < memory["share"] <= memory["now"] <= memory["peak"] for memory in found["memory_mib"].values())
