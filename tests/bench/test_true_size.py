"""The whole server with random weights of the released layout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.model.true_size import main, parsed

pytestmark = pytest.mark.engine


def test_three_clients_are_heard_with_small_networks_in_bfloat16(tmp_path: Path) -> None:
    """The layout and the data types are those of the true size. Every process has its memory and its processor time
    noted, in every stage."""
    file = tmp_path / "result.json"
    assert main(parsed(["--small", "--dtypes", "bfloat16", "--json", str(file)])) == 0
    found = json.loads(file.read_text(encoding="utf-8"))["bfloat16"]
    assert len(found["streams"]["clients"]) == 3 and not found["died"]
    for stage in (found[name] for name in ("start", "say", "streams")):
        assert stage["finished"]
        assert stage["cpu_s"].keys() == stage["memory_mib"].keys() >= {"front", "reader", "talker", "acoustic"}
        assert all(0 < memory["share"] <= memory["now"] <= memory["peak"] for memory in stage["memory_mib"].values())


def test_a_start_that_takes_too_long_is_told(tmp_path: Path) -> None:
    """With what the server was doing."""
    file = tmp_path / "result.json"
    assert main(parsed(["--small", "--dtypes", "float32", "--limit-s", "1.5", "--json", str(file)])) == 1
    start = json.loads(file.read_text(encoding="utf-8"))["float32"]["start"]
    assert not start["finished"] and "wall_s" not in start
