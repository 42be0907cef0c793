"""The server's temporary folder."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest

from rtserver.processes.scratch import scratch_folder


def test_temporary_files_lie_in_a_private_folder_that_is_deleted(tmp_path: Path) -> None:
    """For this process and for those that it starts; afterwards all is as before."""
    before = tempfile.gettempdir(), os.environ.get("TMPDIR")
    with scratch_folder(tmp_path / "cache") as folder:
        assert tempfile.gettempdir() == os.environ["TMPDIR"] == str(folder)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700 and folder.parent.parent == tmp_path / "cache"
        assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
        Path(tempfile.mkdtemp(), "file").write_text("left behind")
    assert (tempfile.gettempdir(), os.environ.get("TMPDIR")) == before
    assert list((tmp_path / "cache" / "scratch").iterdir()) == []


def test_a_fault_deletes_it_too(tmp_path: Path) -> None:
    """Whatever ends the block."""
    with pytest.raises(ZeroDivisionError), scratch_folder(tmp_path):
        raise ZeroDivisionError
    assert list((tmp_path / "scratch").iterdir()) == []


def test_what_a_killed_server_left_is_deleted_at_the_next_start(tmp_path: Path) -> None:
    """A folder without a lock is deleted with all in it; that of a server that runs stays, and so does what is no
    folder of ours."""
    abandoned = tmp_path / "scratch" / "tmpabandoned"
    (abandoned / "deep").mkdir(parents=True)
    (abandoned / "deep" / "vllm_dist_1").write_text("")
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "scratch" / "link").symlink_to(outside)
    with scratch_folder(tmp_path) as first, scratch_folder(tmp_path) as second:
        assert first.is_dir() and second.is_dir() and first != second
        assert not abandoned.exists() and outside.is_dir()
