"""Files on the server that a client may name: those below configured folders. No race leads to another file."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence

from rtserver.uploads.errors import PathError

_MAX_PATH_BYTES = 4096
_SYSTEM = ("/proc", "/sys", "/dev")
# O_PATH needs only the right to pass through a folder.
_FOLDER = os.O_PATH | os.O_DIRECTORY
# O_NONBLOCK: the open of a fifo without a writer returns at once.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_FOUND = {
    errno.ELOOP: "a symbolic link",
    errno.ENOTDIR: "a symbolic link or a file in the place of a folder",
    errno.ENXIO: "something that is not a regular file",
    errno.ENODEV: "something that is not a regular file",
    errno.ENAMETOOLONG: "a name that is too long",
}


class Folders:
    """The configured folders. Raises PathError for one that is not there, or that is in or above /proc, /sys or /dev.

    Symbolic links below them are refused wherever they lead: what a link means can change between a check and its
    use. A configured folder itself may be one.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self._folders = [(os.path.abspath(path), os.path.realpath(path)) for path in paths]
        for given, real in self._folders:
            if any(os.path.commonpath([real, system]) in (real, system) for system in _SYSTEM):
                raise PathError(f"{given}: expected a folder of recordings, found one with {', '.join(_SYSTEM)}")
            if not os.path.isdir(real):
                raise PathError(f"{given}: expected a folder, found none")

    def read(self, path: str, max_bytes: int) -> bytes:
        """The bytes of a regular file. Raises PathError. It waits for the disk: call it off the event loop.

        A relative path is looked up below each folder in turn, an absolute one must begin with a folder's path.
        """
        label = repr(path[:60])[:80]
        refusal: PathError | None = None
        for folder, names in self._places(path, label):
            try:
                return _read(folder, names, max_bytes)
            except FileNotFoundError:
                continue
            except OSError as error:
                found = _FOUND.get(error.errno or 0, error.strerror)
            except PathError as error:
                found = str(error)
            refusal = refusal or PathError(f"{label}: expected a file below the server's folders, found {found}")
        raise refusal or PathError(f"{label}: expected a file below the server's folders, found none")

    def _places(self, path: str, label: str) -> list[tuple[str, list[str]]]:
        """Where to look: real paths of folders, and the names that lead from there to the file."""
        if not self._folders:
            raise PathError(f"{label}: expected the recording itself, because this server has no folders to read from")
        _check_text(path, label)
        if path.startswith("/"):
            places = [(folder[1], path[len(root) + 1 :]) for folder in self._folders for root in dict.fromkeys(folder)
                      if path.startswith(root + "/")]  # fmt: skip
        else:
            places = [(real, path) for _, real in self._folders]
        if not places:
            raise PathError(f"{label}: expected a path below the server's folders")
        named = [(real, rest.split("/")) for real, rest in places]
        if any(name in ("", ".", "..") for _, names in named for name in names):
            raise PathError(f"{label}: expected a path of plain names, without '..', '.' or empty ones")
        return named


def _check_text(path: str, label: str) -> None:
    try:
        size = len(path.encode())
    except UnicodeEncodeError as error:
        raise PathError(f"{label}: expected a path of whole characters, found half a surrogate pair") from error
    if not 0 < size <= _MAX_PATH_BYTES:
        raise PathError(f"{label}: expected a path of 1 to {_MAX_PATH_BYTES} bytes, found {size}")
    if "\0" in path:
        raise PathError(f"{label}: expected a path, found a zero character in it")


def _read(folder: str, names: list[str], max_bytes: int) -> bytes:
    """Checks and reads the open file: a change of its path has no effect. A PathError says only what was found."""
    fd = _open(folder, names)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise PathError("something that is not a regular file")
        if status.st_size > max_bytes:
            raise PathError(f"more than {max_bytes} bytes")
        # Not beyond the size it had, so that a file that grows meanwhile stays within the bound.
        pieces, left = [], status.st_size
        while left and (piece := os.read(fd, left)):
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)
    finally:
        os.close(fd)


def _open(folder: str, names: list[str]) -> int:
    """Opens name by name, each in the folder that is already open: nothing of the path is looked up twice."""
    parent = os.open(folder, _FOLDER)
    try:
        for name in names[:-1]:
            inner = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=parent)
            os.close(parent)
            parent = inner
        return os.open(names[-1], _FILE, dir_fd=parent)
    finally:
        os.close(parent)
