"""Which files of the server a client may name, and what it is told of the others."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from rtserver.uploads.errors import PathError
from rtserver.uploads.folders import Folders
from tests.rtserver.processes.programs import open_files

SOUND = b"sound"
SECRET = b"secret"
LARGE = 1 << 20


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """`in` is configured, `out` is not; both hold files."""
    for path, data in {
        "in/a.wav": SOUND,
        "in/deep/er/b.wav": SOUND + b" b",
        "in/空 1.wav": SOUND + b" c",
        "in/empty.wav": b"",
        "out/secret.wav": SECRET,
        "in2/twin.wav": SECRET,
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    return tmp_path


@pytest.fixture
def folders(home: Path) -> Folders:
    return Folders([str(home / "in")])


def refused(folders: Folders, path: str) -> str:
    """Why a path is not read; its descriptors are given back."""
    before = open_files()
    with pytest.raises(PathError) as refusal:
        folders.read(path, LARGE)
    assert open_files() == before
    assert refusal.value.code == "bad_audio"
    return str(refusal.value)


@pytest.mark.parametrize(
    ("path", "data"),
    [("a.wav", SOUND), ("deep/er/b.wav", SOUND + b" b"), ("空 1.wav", SOUND + b" c"), ("empty.wav", b"")],
)
def test_a_file_below_a_folder_is_read(home: Path, folders: Folders, path: str, data: bytes) -> None:
    """By its path from the folder or from the root; no descriptor stays open."""
    before = open_files()
    assert folders.read(path, LARGE) == data
    assert folders.read(f"{home}/in/{path}", LARGE) == data
    assert open_files() == before


def test_a_relative_path_is_looked_for_in_each_folder_in_turn(home: Path) -> None:
    """The first that has it wins; one that has something else of this name does not end the search."""
    (home / "first").mkdir()
    (home / "first/a.wav").mkdir()
    (home / "first/b.wav").write_bytes(b"first")
    (home / "in/b.wav").write_bytes(b"second")
    folders = Folders([str(home / "first"), str(home / "in")])
    assert folders.read("b.wav", LARGE) == b"first"
    assert folders.read("a.wav", LARGE) == SOUND
    assert folders.read(f"{home}/in/b.wav", LARGE) == b"second"


def test_what_is_found_first_is_the_reason_of_a_refusal(home: Path) -> None:
    """What is not there in one folder is no reason while another has something of this name."""
    for folder in ("first", "second"):
        (home / folder).mkdir()
    (home / "first/x.wav").mkdir()
    (home / "second/x.wav").symlink_to(home / "in/a.wav")
    first, second, inside = (str(home / folder) for folder in ("first", "second", "in"))
    assert refused(Folders([first, second, inside]), "x.wav").endswith("found something that is not a regular file")
    assert refused(Folders([inside, second, first]), "x.wav").endswith("found a symbolic link")


def test_a_configured_folder_may_be_a_link(home: Path) -> None:
    """Files are found by its own path and by what it leads to."""
    (home / "link").symlink_to(home / "in")
    folders = Folders([str(home / "link")])
    for path in ("a.wav", f"{home}/link/a.wav", f"{home}/in/a.wav"):
        assert folders.read(path, LARGE) == SOUND


def test_a_folder_may_be_configured_from_where_the_server_runs(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stays the same one when the server goes elsewhere."""
    monkeypatch.chdir(home)
    folders = Folders(["in"])
    monkeypatch.chdir(home / "out")
    assert folders.read("a.wav", LARGE) == SOUND


ESCAPES: dict[str, tuple[str, str]] = {
    "a parent": ("../out/secret.wav", "plain names"),
    "a parent further on": ("deep/../../out/secret.wav", "plain names"),
    "a parent that stays inside": ("deep/../a.wav", "plain names"),
    "a parent behind the folder": ("{home}/in/../out/secret.wav", "plain names"),
    "the folder's parent alone": ("..", "plain names"),
    "itself": (".", "plain names"),
    "itself amid the path": ("deep/./er/b.wav", "plain names"),
    "an empty name": ("deep//er/b.wav", "plain names"),
    "a slash at the end": ("a.wav/", "plain names"),
    "nothing": ("", "found 0"),
    "a zero character": ("a.wav\0", "zero character"),
    "a zero character behind what is there": ("a.wav\0.txt", "zero character"),
    "half a surrogate pair": ("a\ud800.wav", "half a surrogate pair"),
    "a byte that is no character": ("a\udcff.wav", "half a surrogate pair"),
    "a long name": ("x" * 256, "a name that is too long"),
    "a long path": ("x/" * 3000 + "x", "expected a path of 1 to 4096 bytes, found 6001"),
    "an absolute path elsewhere": ("{home}/out/secret.wav", "a path below"),
    "a folder whose name begins alike": ("{home}/in2/twin.wav", "a path below"),
    "the folder itself": ("{home}/in", "a path below"),
    "the folder with two slashes before it": ("/{home}/in/a.wav", "a path below"),
    "the root": ("/", "a path below"),
    "the process's environment": ("/proc/self/environ", "a path below"),
    "an open file": ("/proc/self/fd/0", "a path below"),
    "the process's root": ("/proc/self/root{home}/in/a.wav", "a path below"),
    "a device": ("/dev/zero", "a path below"),
    "the kernel's settings": ("/sys/kernel/notes", "a path below"),
    "a home": ("~/secret.wav", "found none"),
    "escapes of URLs, which are nothing but characters here": ("%2e%2e/out/secret.wav", "found none"),
    "a separator of other systems": ("..\\out\\secret.wav", "found none"),
    "a URL": ("file://{home}/in/a.wav", "plain names"),
    "what is not there": ("none.wav", "found none"),
    "a folder that is not there": ("none/a.wav", "found none"),
    "a file as a folder": ("a.wav/b.wav", "a file in the place of a folder"),
    "a folder": ("deep", "not a regular file"),
}


@pytest.mark.parametrize("case", ESCAPES)
def test_a_path_that_is_not_a_file_below_a_folder_is_refused(home: Path, folders: Folders, case: str) -> None:
    """Each for its reason."""
    path, reason = ESCAPES[case]
    assert reason in refused(folders, path.format(home=home))


def test_a_folder_without_any_configured_reads_nothing(home: Path) -> None:
    """Neither relative nor absolute paths."""
    for path in ("a.wav", f"{home}/in/a.wav", ""):
        assert "expected the recording itself, because this server has no folders" in refused(Folders([]), path)


SPECIAL: dict[str, Callable[[Path, Path], None]] = {
    "a link to a file outside": lambda path, home: path.symlink_to(home / "out/secret.wav"),
    "a link to what is not there": lambda path, home: path.symlink_to(home / "out/none.wav"),
    "a link to a file inside": lambda path, home: path.symlink_to(home / "in/a.wav"),
    "a link to a device": lambda path, _: path.symlink_to("/dev/zero"),
    "a link to the process's environment": lambda path, _: path.symlink_to("/proc/self/environ"),
    "a link to itself": lambda path, _: path.symlink_to(path),
}


@pytest.mark.parametrize("case", SPECIAL)
def test_a_symbolic_link_is_refused_unread(home: Path, folders: Folders, case: str) -> None:
    """In the same words wherever it leads."""
    SPECIAL[case](home / "in/x.wav", home)
    assert refused(folders, "x.wav") == "'x.wav': expected a file below the server's folders, found a symbolic link"


@pytest.mark.parametrize("target", ["out", "none", "in/deep"])
def test_a_link_in_the_place_of_a_folder_is_refused(home: Path, folders: Folders, target: str) -> None:
    """In the same words wherever it leads."""
    (home / "in/x").symlink_to(home / target)
    assert refused(folders, "x/secret.wav") == (
        "'x/secret.wav': expected a file below the server's folders, "
        "found a symbolic link or a file in the place of a folder"
    )


def test_a_fifo_is_refused_without_waiting_for_its_writer(home: Path, folders: Folders) -> None:
    """Also when somebody writes."""
    os.mkfifo(home / "in/x.wav")
    assert "not a regular file" in refused(folders, "x.wav")
    writer = os.open(home / "in/x.wav", os.O_RDWR)
    try:
        os.write(writer, b"something")
        assert "not a regular file" in refused(folders, "x.wav")
    finally:
        os.close(writer)


def test_a_socket_is_refused(home: Path, folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing connects to it."""
    monkeypatch.chdir(home / "in")  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("x.wav")
        assert "not a regular file" in refused(folders, "x.wav")


def test_a_device_below_a_folder_is_refused(home: Path, folders: Folders) -> None:
    """Where the tests may make one."""
    try:
        os.mknod(home / "in/x.wav", 0o20666, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("making a device takes rights")
    # Where devices cannot be used, it cannot even be opened.
    assert refused(folders, "x.wav").endswith(("not a regular file", "found Permission denied"))


def test_the_size_is_bounded(home: Path, folders: Folders) -> None:
    """Exactly; a file that takes no room on the disk too."""
    assert folders.read("a.wav", len(SOUND)) == SOUND
    with pytest.raises(PathError, match="found more than 4 bytes"):
        folders.read("a.wav", len(SOUND) - 1)
    with (home / "in/x.wav").open("wb") as file:
        file.truncate(1 << 40)
    assert f"found more than {LARGE} bytes" in refused(folders, "x.wav")


def test_a_refusal_does_not_tell_what_lies_outside(home: Path, folders: Folders) -> None:
    """What is there and what is not are refused alike, and the message has no path but the client's own."""
    for path in ("{home}/out/{name}", "{home}/in/../out/{name}", "../out/{name}", "/proc/self/{name}"):
        there, absent = (refused(folders, path.format(home="/h", name=name)) for name in ("secret.wav", "nothing.wav"))
        assert there.replace("secret", "nothing") == absent
        real = refused(folders, path.format(home=home, name="secret.wav"))
        assert SECRET.decode() not in real.partition(": ")[2]
        assert str(home) not in real.partition(": ")[2]


def test_a_refusal_does_not_repeat_a_long_path(folders: Folders) -> None:
    """The beginning is enough to know it again."""
    assert len(refused(folders, "\x1b" * 4000)) < 200


@pytest.mark.parametrize("path", ["/", "/proc", "/proc/self", "/dev", "/dev/shm", "/sys/kernel"])
def test_the_kernels_own_folders_cannot_be_configured(path: str) -> None:
    """Nor one that they lie in."""
    with pytest.raises(PathError, match="expected a folder of recordings, found one with /proc, /sys, /dev"):
        Folders([path])


def test_a_link_to_the_kernels_folders_cannot_be_configured(home: Path) -> None:
    """What it leads to counts."""
    (home / "link").symlink_to("/proc")
    with pytest.raises(PathError, match="expected a folder of recordings"):
        Folders([str(home / "link")])


@pytest.mark.parametrize("path", ["none", "in/a.wav"])
def test_what_is_no_folder_cannot_be_configured(home: Path, path: str) -> None:
    """The message names it."""
    with pytest.raises(PathError, match=f"{home}/{path}: expected a folder, found none"):
        Folders([str(home / path)])


def test_a_file_that_cannot_be_read_is_refused(home: Path, folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failing disk gives the same kind of error, and the descriptor is closed."""

    def fail(fd: int, size: int) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("os.read", fail)
    assert "found Input/output error" in refused(folders, "a.wav")
