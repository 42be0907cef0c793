"""Which files a word passes through."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.load.word_files import TRACER, Way, process_name, way_of

HOUSE = """
class Door:
    def __init__(self, room): self.room = room
    def say(self, text): self.room.open(text)
class Room:
    def open(self, text): self.write(text)
    def write(self, text): return text
"""
CALLS = "from house.door import Door, Room; import house.attic; Door(Room()).say('word')"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package of two files and an empty one."""
    folder = tmp_path / "house"
    folder.mkdir()
    for name, text in {"__init__": "", "door": HOUSE, "attic": "def unused(): pass\n"}.items():
        (folder / f"{name}.py").write_text(text)
    return folder


@pytest.mark.command
def test_a_process_notes_what_runs(package: Path, tmp_path: Path) -> None:
    """A traced process notes the files that ran a function, not those only imported, and which objects called."""
    notes = tmp_path / "notes"
    notes.mkdir()
    environment = {
        **os.environ,
        "PYTHONPATH": f"{TRACER}{os.pathsep}{tmp_path}",
        "WORD_TRACER_NOTES": str(notes),
        "WORD_TRACER_PACKAGE": str(package),
    }
    subprocess.run([sys.executable, "-c", CALLS, "-m", "rtserver"], env=environment, check=True)
    way = way_of(notes, package, 0.0, float("inf"))
    assert way == Way({"house/door.py": ["front"]}, 2, {"say": ("Door.say",), "write": ("Door.say", "Room.write")})
    assert way.lines() == [
        "house/door.py: front",
        "say: 1 objects: Door.say",
        "write: 2 objects: Door.say > Room.write",
        "1 of 2 files",
    ]


def test_what_runs_at_other_times_is_left_out(package: Path, tmp_path: Path) -> None:
    """Only notes within the utterance count, and only the server's own process has paths."""
    notes = tmp_path / "notes"
    notes.mkdir()
    for number, module in enumerate(("rtserver", "rtserver.reading.process")):
        lines: list[object] = [{"command": ["python", "-m", module]}]
        lines += [{"s": at_s, "file": f"house/{at_s:.0f}.py"} for at_s in (1.0, 2.0 + number, 4.0)]
        lines.append({"s": 2.5, "path": ["Door.open", f"Room{number}.send"]})
        (notes / f"{number}.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert way_of(notes, package, 2.0, 3.0) == Way(
        {"house/2.py": ["front"], "house/3.py": ["reading.process"]}, 2, {"send": ("Door.open", "Room0.send")}
    )


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["python", "-m", "rtserver", "serve"], "front"),
        (["python", "-m", "rtserver.engine.talker", "--fd", "3"], "engine.talker"),
        (["python", "helper.py"], "helper.py"),
    ],
)
def test_names_of_processes(command: list[str], name: str) -> None:
    """A process is named by the module that it runs; one that runs none by its last argument."""
    assert process_name(command) == name
