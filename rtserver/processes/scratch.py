"""Temporary files of the server: a folder of its own, which no other user can read and which is deleted afterwards.

Libraries write into the temporary folder under names that can be guessed, and leave files there when their process is
killed. In a folder that all users share, another user could put a file in place of such a file.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

_LOG = logging.getLogger(__name__)

_NAME = "scratch"


@contextlib.contextmanager
def scratch_folder(cache: Path) -> Iterator[Path]:
    """A new folder in `cache`. It is the temporary folder of this process and of the processes that it starts, until it
    is deleted after the block. Folders of servers that were killed are deleted first."""
    root = cache / _NAME
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(root):
        _delete_abandoned(root)
        folder = Path(tempfile.mkdtemp(dir=root))
        # Says that the folder is in use: the operating system lets go of a dead process's locks.
        ours = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(ours, fcntl.LOCK_EX)
    former = os.environ.get("TMPDIR")
    _set_temporary_folder(str(folder))
    try:
        yield folder
    finally:
        _set_temporary_folder(former)
        shutil.rmtree(folder, ignore_errors=True)
        os.close(ours)


def _set_temporary_folder(folder: str | None) -> None:
    """None for the default of the machine."""
    if folder is None:
        os.environ.pop("TMPDIR", None)
    else:
        os.environ["TMPDIR"] = folder
    tempfile.tempdir = None  # so that `tempfile` reads TMPDIR again


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    lock = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _delete_abandoned(root: Path) -> None:
    """Deletes the folders that no living process has locked."""
    for folder in root.iterdir():
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:  # no folder of ours
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
            _LOG.info("deleted temporary files of a server that was killed", extra={"folder": str(folder)})
        except BlockingIOError:  # a server that runs
            pass
        finally:
            os.close(lock)
