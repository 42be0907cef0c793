"""Where libopus is found, and what happens where it is not."""

from __future__ import annotations

import ctypes
import ctypes.util
import subprocess
import sys
from collections.abc import Iterator

import pytest

from rtserver.audio import libopus
from rtserver.audio.encoder import encode_all, open_encoder
from rtserver.audio.formats import FormatError, check_format
from rtserver.audio.libopus import OpusMissing, load_opuslib, opus_problem
from tests.rtserver.audio.sound import glide, pcm


@pytest.fixture
def not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Opus has to be looked for once more."""
    monkeypatch.setattr(libopus, "_opuslib", None)


@pytest.fixture
def no_library(monkeypatch: pytest.MonkeyPatch, not_loaded: None) -> None:
    """A machine without libopus."""

    def candidates() -> Iterator[str]:
        yield "libno-such-thing.so.0"

    monkeypatch.setattr(libopus, "_candidates", candidates)


def test_opus_is_there() -> None:
    """PyAV's wheel carries it, so that it is wherever the server is installed."""
    assert opus_problem() is None
    assert load_opuslib() is load_opuslib()


@pytest.mark.command
def test_a_fresh_process_finds_it() -> None:
    """Also where nothing has loaded PyAV or libopus before."""
    code = "from rtserver.audio.libopus import load_opuslib; print(load_opuslib().Encoder(24000, 1, 'audio').lookahead)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "156\n"


def test_pyavs_library_serves_where_the_system_has_none(monkeypatch: pytest.MonkeyPatch, not_loaded: None) -> None:
    """It is opened by its path, and it is libopus."""
    monkeypatch.setattr(libopus, "_SYSTEM_LIBRARY", "libno-such-thing.so.0")
    found = libopus._found_library()
    assert "av.libs" in found
    library = ctypes.CDLL(found)
    library.opus_get_version_string.restype = ctypes.c_char_p
    assert library.opus_get_version_string().startswith(b"libopus 1.")


def test_the_systems_library_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyAV's is not touched then."""
    monkeypatch.setattr(libopus, "_SYSTEM_LIBRARY", "libc.so.6")  # one that every machine can open
    assert libopus._found_library() == "libc.so.6"


@pytest.mark.usefixtures("no_library")
def test_without_a_library_the_problem_is_told() -> None:
    """What was expected and what the loader said; nothing is raised."""
    problem = opus_problem()
    assert problem is not None
    assert problem.startswith("opus: expected libopus, the system's or the one in PyAV's wheel, found libno-such-thing")


@pytest.mark.usefixtures("no_library")
@pytest.mark.parametrize("name", ["opus", "ogg_opus"])
def test_without_a_library_opus_is_refused(name: str) -> None:
    """As a format that cannot be given."""
    sound = check_format(name, None, 24000)
    with pytest.raises(OpusMissing, match="expected libopus"):
        open_encoder(sound, 24000)
    assert issubclass(OpusMissing, FormatError)


@pytest.mark.usefixtures("no_library")
@pytest.mark.parametrize("name", ["pcm", "wav", "mp3", "flac", "ulaw"])
def test_without_a_library_the_other_formats_work(name: str) -> None:
    """A server without Opus still speaks."""
    assert len(b"".join(encode_all(check_format(name, None, 24000), 24000, pcm(glide(24000))))) > 10_000


@pytest.mark.usefixtures("not_loaded")
def test_a_broken_binding_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """opuslib may be missing where libopus is there."""
    monkeypatch.setitem(sys.modules, "opuslib", None)
    problem = opus_problem()
    assert problem is not None and problem.startswith("opus: expected the module opuslib to work with ")


@pytest.mark.usefixtures("not_loaded")
def test_looking_for_other_libraries_is_as_before() -> None:
    """What stands in for it while opuslib is imported is taken back, whether that went well or not."""
    before = ctypes.util.find_library
    assert opus_problem() is None
    assert ctypes.util.find_library is before


@pytest.mark.usefixtures("no_library")
def test_a_library_that_appears_later_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure is not remembered."""
    assert opus_problem() is not None
    monkeypatch.undo()
    assert opus_problem() is None
