"""A path that changes while it is followed never leads out."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rtserver.uploads.errors import PathError
from rtserver.uploads.folders import Folders

SOUND = b"sound"
SECRET = b"secret"
PATH = "one/two/a.wav"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Inside and outside look alike but for what the file says."""
    for folder, data in {"in": SOUND, "out": SECRET}.items():
        (tmp_path / folder / "one/two").mkdir(parents=True)
        (tmp_path / folder / PATH).write_bytes(data)
    return tmp_path


def swap(home: Path, inner: str) -> None:
    """Puts a link to the same place outside where something inside was."""
    (home / "in" / inner).rename(home / "moved")
    (home / "in" / inner).symlink_to(home / "out" / inner)


def on_open(monkeypatch: pytest.MonkeyPatch, name: str, *, before: bool, then: Callable[[], None]) -> None:
    """Does something just before or just after a name on the way is opened, once."""
    real: Callable[..., int] = os.open
    waiting = [then]

    def opened(path: Any, *args: Any, **kwargs: Any) -> int:
        if before and path == name and waiting:
            waiting.pop()()
        fd = real(path, *args, **kwargs)
        if not before and path == name and waiting:
            waiting.pop()()
        return fd

    monkeypatch.setattr("os.open", opened)


@pytest.mark.parametrize("inner", ["one", "one/two", PATH])
def test_a_link_that_appears_before_its_name_is_opened_is_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch, inner: str
) -> None:
    """At any place of the path, however late."""
    folders = Folders([str(home / "in")])
    on_open(monkeypatch, Path(inner).name, before=True, then=lambda: swap(home, inner))
    with pytest.raises(PathError, match="found a symbolic link"):
        folders.read(PATH, 100)
    assert (home / "in" / inner).is_symlink()


@pytest.mark.parametrize("inner", ["one", "one/two", PATH])
def test_a_link_that_appears_after_its_name_was_opened_changes_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch, inner: str
) -> None:
    """What is open is what was there, not what the path means by now."""
    folders = Folders([str(home / "in")])
    on_open(monkeypatch, Path(inner).name, before=False, then=lambda: swap(home, inner))
    assert folders.read(PATH, 100) == SOUND
    assert (home / "in" / inner).is_symlink()
    assert (home / "in" / PATH).read_bytes() == SECRET  # what following the path would have given


def test_a_file_that_grows_while_it_is_read_stays_within_the_bound(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more is read than the size that was checked."""
    real = os.fstat

    def grow(fd: int) -> os.stat_result:
        status = real(fd)
        with (home / "in" / PATH).open("ab") as file:
            file.write(b"more" * 1000)
        return status

    folders = Folders([str(home / "in")])
    monkeypatch.setattr("rtserver.uploads.folders.os.fstat", grow)
    assert folders.read(PATH, 100) == SOUND


def test_a_name_that_changes_all_the_time_never_gives_the_secret(home: Path) -> None:
    """Two thousand reads against a thread that swaps a folder for a link and back, and more until the file is met."""
    folders = Folders([str(home / "in")])
    done = threading.Event()

    def keep_swapping() -> None:
        place, kept, link = home / "in/one", home / "kept", home / "link"
        link.symlink_to(home / "out/one")
        while not done.is_set():
            place.rename(kept)
            link.rename(place)
            place.rename(link)
            kept.rename(place)

    thread = threading.Thread(target=keep_swapping)
    thread.start()
    answers: set[bytes | str] = set()
    try:
        for _ in range(2000):
            try:
                answers.add(folders.read(PATH, 100))
            except PathError as error:
                answers.add(str(error).rpartition("found ")[2])
    finally:
        done.set()
        thread.join()
    assert answers <= {SOUND, "none", "a symbolic link or a file in the place of a folder"}
    assert SOUND in answers
    assert len(answers) > 1  # the swaps were seen
