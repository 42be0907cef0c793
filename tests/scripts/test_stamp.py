"""The record of what is installed."""

from __future__ import annotations

from pathlib import Path

import pytest
from stamp import digest, read_stamp, stale, write_stamp


def test_digest_keeps_parts_apart() -> None:
    """The same bytes cut elsewhere give another digest."""
    assert digest([b"ab", b"c"]) != digest([b"a", b"bc"])
    assert digest([b"ab", b"c"]) == digest([b"ab", b"c"])


def test_stamp_round_trip(tmp_path: Path) -> None:
    """What is written is read, and nothing is left beside it."""
    write_stamp(tmp_path / "stamp", {"cpu": "1"})
    write_stamp(tmp_path / "stamp", {"cpu": "1", "dev": "2"})
    assert read_stamp(tmp_path / "stamp") == {"cpu": "1", "dev": "2"}
    assert [path.name for path in tmp_path.iterdir()] == ["stamp"]


@pytest.mark.parametrize("content", [None, b"", b'{"cpu": ', b"[1]", b"\xff\xfe"])
def test_a_broken_stamp_holds_nothing(tmp_path: Path, content: bytes | None) -> None:
    """A missing, cut or foreign stamp means that everything is gone over."""
    if content is not None:
        (tmp_path / "stamp").write_bytes(content)
    assert read_stamp(tmp_path / "stamp") == {}


def test_stale() -> None:
    """Groups that are missing or were made from other files, in the order asked for."""
    digests = {"cpu": "1", "dev": "2", "listen": "3"}
    assert stale(["cpu", "dev", "listen"], digests, {"cpu": "1", "listen": "old"}) == ["dev", "listen"]
    assert stale(["cpu"], digests, {"cpu": "1"}) == []
