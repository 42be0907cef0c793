"""The import arrows between the parts of a package."""

from __future__ import annotations

from pathlib import Path

import pytest
from arrows import arrows, cycles, main

FILES = {
    "__init__.py": "",
    "start.py": "from house.front.door import Door\nfrom house.front import window\nimport house.store\n",
    "store.py": "import json\n",
    "front/__init__.py": "",
    "front/door.py": "from house.front.window import Window\nfrom house import store\n",
    "front/window.py": "import house.store, house.start\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout with a small package."""
    for name, text in FILES.items():
        path = tmp_path / "house" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_rooms_are_the_parts_at_the_root(root: Path) -> None:
    """Files and folders are rooms, imports inside one do not count, and each statement counts once."""
    rooms, counts = arrows(root, "house", 1)
    assert rooms == {"start", "store", "front"}
    assert counts == {("start", "front"): 2, ("start", "store"): 1, ("front", "store"): 2, ("front", "start"): 1}


def test_deeper_rooms(root: Path) -> None:
    """At depth 2 a folder's files are rooms of their own; its empty __init__ is none."""
    rooms, counts = arrows(root, "house", 2)
    assert rooms == {"start", "store", "front.door", "front.window"}
    assert ("front.door", "front.window") in counts


def test_a_name_of_the_package_itself(root: Path) -> None:
    """A name that is no module is imported from the package's own file."""
    (root / "house" / "__init__.py").write_text("ADDRESS = 1\n")
    (root / "house" / "store.py").write_text("from house import ADDRESS\n")
    rooms, counts = arrows(root, "house", 1)
    assert "__init__" in rooms and counts["store", "__init__"] == 1


def test_cycles() -> None:
    """Rooms that reach each other stand together; rooms that are only reached do not."""
    assert cycles([("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("e", "f"), ("f", "e"), ("d", "e")]) == [
        ["a", "b", "c"],
        ["e", "f"],
    ]
    assert cycles([("a", "b"), ("a", "c"), ("b", "c")]) == []


def test_report_and_exit_status(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The last line sums up; --no-cycles fails where there is a cycle and passes where there is none."""
    assert main(["--root", str(root), "house"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown == [
        "front -> start (1), store (2)",
        "start -> front (2), store (1)",
        "store -> nothing",
        "cycle: front, start",
        "3 rooms, 4 arrows, 1 cycles",
    ]
    assert main(["--root", str(root), "--no-cycles", "house"]) == 1
    assert main(["--root", str(root), "--no-cycles", "--depth", "2", "house"]) == 1
    (root / "house" / "front" / "window.py").write_text("")
    assert main(["--root", str(root), "--no-cycles", "house"]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"), [(["hut"], "expected a package"), (["house", "--depth", "0"], "expected a depth")]
)
def test_bad_arguments(arguments: list[str], message: str, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder or depth that cannot be is refused with what was expected."""
    with pytest.raises(SystemExit):
        main(["--root", str(root), *arguments])
    assert message in capsys.readouterr().err
