"""Finds libopus: the system's, else the one inside PyAV's wheel. No other file imports opuslib."""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib
import importlib.util
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rtserver.audio.formats import FormatError

_SYSTEM_LIBRARY = "libopus.so.0"

_lock = threading.Lock()
_opuslib: Any = None


class OpusMissing(FormatError):
    """Opus was asked for, and there is no libopus."""


def opus_problem() -> str | None:
    """Why Opus cannot be used; None if it can. It never raises, so that a server can start without Opus."""
    try:
        load_opuslib()
    except OpusMissing as error:
        return str(error)
    return None


def load_opuslib() -> Any:
    """The module `opuslib`. The first call takes about 10 ms. Raises OpusMissing without libopus or the module."""
    global _opuslib
    with _lock:
        if _opuslib is None:
            _opuslib = _import_opuslib(_found_library())
        return _opuslib


def _found_library() -> str:
    tried = []
    for name in _candidates():
        try:
            ctypes.CDLL(name)
        except OSError as error:
            tried.append(str(error))
        else:
            return name
    raise OpusMissing(f"opus: expected libopus, the system's or the one in PyAV's wheel, found {'; '.join(tried)}")


def _candidates() -> Iterator[str]:
    yield _SYSTEM_LIBRARY
    spec = importlib.util.find_spec("av")
    if spec is not None and spec.origin is not None:
        libraries = Path(spec.origin).parents[1] / "av.libs"
        yield from map(str, sorted(libraries.glob("libopus-*.so*")))


def _import_opuslib(library: str) -> Any:
    """Imports opuslib with this library. On its import opuslib calls `find_library` and raises if that finds nothing,
    so `find_library` is replaced during the import."""
    find_library = ctypes.util.find_library

    def found(name: str) -> str | None:
        return library if name == "opus" else find_library(name)

    ctypes.util.find_library = found
    try:
        return importlib.import_module("opuslib")
    except Exception as error:  # what opuslib raises is a bare Exception
        raise OpusMissing(f"opus: expected the module opuslib to work with {library}, found {error}") from error
    finally:
        ctypes.util.find_library = find_library
