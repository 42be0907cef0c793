"""The set-up as a whole: what is done when, and that an interruption anywhere is made good by the next run."""

from __future__ import annotations

import ast
import os
import threading
from pathlib import Path

import pytest
from interpreter import SetupError
from setup import GROUPS, STAMP, alone_in, digests, parse_groups, set_up
from stamp import read_stamp

ROOT = Path(__file__).resolve().parents[2]
EVERYTHING = ["cpu", "dev", "listen"]
FIRST_RUN = ["make", "repair", "build.txt", "torch.txt", "cpu.txt", "drop", "check", "project"]


class FakeWorkplace:
    """An environment that records what is done to it, and is interrupted at the `interrupt_at`th deed."""

    def __init__(self, root: Path) -> None:
        self.folder = root / ".venv"
        self.deeds: list[str] = []
        self.interrupt_at: int | None = None
        self.held: set[str] = set()
        self.runs = False

    def _do(self, deed: str) -> None:
        if self.interrupt_at is not None and len(self.deeds) == self.interrupt_at:
            raise KeyboardInterrupt
        self.deeds.append(deed)

    @property
    def version(self) -> str:
        """Its Python's version."""
        return "3.11" if self.runs else ""

    def works(self) -> bool:
        """Whether it was made."""
        return self.runs

    def make(self) -> None:
        """Empties it."""
        self._do("make")
        self.folder.mkdir(exist_ok=True)
        (self.folder / STAMP).unlink(missing_ok=True)
        self.held.clear()
        self.runs = True

    def repair(self) -> list[str]:
        """Finds nothing."""
        self._do("repair")
        return []

    def install_torch(self, requirements: Path) -> None:
        """Holds torch."""
        self._do(requirements.name)
        self.held.add(requirements.name)

    def install_lock(self, lock: Path) -> None:
        """Holds the content of `lock`."""
        self._do(lock.name)
        self.held.add(lock.read_text())

    def install_project(self) -> None:
        """Holds the project."""
        self._do("project")
        self.held.add("project")

    def drop_cuda_libraries(self) -> None:
        """Only recorded."""
        self._do("drop")

    def check(self) -> None:
        """Only recorded."""
        self._do("check")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout with small lock files."""
    (tmp_path / "requirements").mkdir()
    for name in (*GROUPS, "build"):
        (tmp_path / "requirements" / f"{name}.txt").write_text(f"{name}-package==1\n")
    (tmp_path / "requirements" / "torch.txt").write_text("# where it is\ntorch==2.13.0+cpu\n")
    (tmp_path / "clients").mkdir()
    for folder in (tmp_path, tmp_path / "clients"):
        (folder / "pyproject.toml").write_text("[project]\n")
    return tmp_path


@pytest.fixture
def workplace(root: Path) -> FakeWorkplace:
    """An environment in `root` that is not made yet."""
    return FakeWorkplace(root)


def run(workplace: FakeWorkplace, root: Path, groups: list[str]) -> list[str]:
    """What a set-up of `groups` does."""
    workplace.deeds.clear()
    set_up(workplace, root, groups, lambda line: None)
    return workplace.deeds


def test_first_and_second_run(workplace: FakeWorkplace, root: Path) -> None:
    """The first run does everything in order, the second nothing."""
    assert run(workplace, root, ["cpu"]) == FIRST_RUN
    assert run(workplace, root, ["cpu"]) == []


def test_a_group_is_added(workplace: FakeWorkplace, root: Path) -> None:
    """Asking for one more group installs that one alone, and later runs with fewer groups do nothing."""
    run(workplace, root, ["cpu"])
    assert run(workplace, root, ["cpu", "dev"]) == ["repair", "build.txt", "dev.txt", "drop"]
    assert run(workplace, root, ["cpu"]) == []
    assert run(workplace, root, ["cpu", "dev"]) == []


@pytest.mark.parametrize("at", range(len(FIRST_RUN) + 4))
def test_interrupted_first_run(workplace: FakeWorkplace, root: Path, at: int) -> None:
    """Wherever the first run stops, no group counts that is not all there, and the next run completes it."""
    workplace.interrupt_at = at
    with pytest.raises(KeyboardInterrupt):
        run(workplace, root, EVERYTHING)
    for group in set(read_stamp(workplace.folder / STAMP)) - {"project"}:
        assert f"{group}-package==1\n" in workplace.held
    workplace.interrupt_at = None
    run(workplace, root, EVERYTHING)
    assert workplace.held == {*(f"{name}-package==1\n" for name in (*GROUPS, "build")), "torch.txt", "project"}
    assert run(workplace, root, EVERYTHING) == []


@pytest.mark.parametrize("at", range(6))
def test_interrupted_update_and_return(workplace: FakeWorkplace, root: Path, at: int) -> None:
    """An update that was interrupted, taken back by going back to the old lock, still installs the old lock again."""
    run(workplace, root, EVERYTHING)
    lock = root / "requirements" / "cpu.txt"
    lock.write_text("cpu-package==2\n")
    workplace.interrupt_at = at
    with pytest.raises(KeyboardInterrupt):
        run(workplace, root, EVERYTHING)
    workplace.interrupt_at = None
    lock.write_text("cpu-package==1\n")
    assert "cpu.txt" in run(workplace, root, EVERYTHING)


def test_a_changed_lock(workplace: FakeWorkplace, root: Path) -> None:
    """Only the group whose files changed is installed again."""
    run(workplace, root, EVERYTHING)
    (root / "requirements" / "dev.txt").write_text("dev-package==2\n")
    assert run(workplace, root, EVERYTHING) == ["repair", "build.txt", "dev.txt", "drop"]


@pytest.mark.parametrize("name", ["cpu.txt", "torch.txt", "build.txt"])
def test_what_the_core_depends_on(workplace: FakeWorkplace, root: Path, name: str) -> None:
    """A change of any of its files installs the core again."""
    run(workplace, root, ["cpu"])
    path = root / "requirements" / name
    path.write_text(path.read_text() + "# changed\n")
    assert run(workplace, root, ["cpu"]) == [deed for deed in FIRST_RUN if deed not in ("make", "project")]


def test_a_changed_project(workplace: FakeWorkplace, root: Path) -> None:
    """A change of either pyproject.toml installs the project again, no packages."""
    run(workplace, root, ["cpu"])
    (root / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert run(workplace, root, ["cpu"]) == ["repair", "build.txt", "project"]


def test_a_moved_checkout(root: Path) -> None:
    """The project counts as another in another folder or under another Python, the packages only under the latter."""
    here = digests(root, "3.11")
    moved = root.with_name("moved")
    root.rename(moved)
    there = digests(moved, "3.11")
    assert [group for group in here if here[group] != there[group]] == ["project"]
    assert not set(there.values()) & set(digests(moved, "3.12").values())


def test_an_environment_that_broke(workplace: FakeWorkplace, root: Path) -> None:
    """When .venv no longer runs, all groups that are wanted are installed anew, whatever the stamp says."""
    run(workplace, root, EVERYTHING)
    workplace.runs = False
    assert run(workplace, root, ["cpu"]) == FIRST_RUN
    assert "dev.txt" in run(workplace, root, ["cpu", "dev"])


def test_steps_are_announced(workplace: FakeWorkplace, root: Path) -> None:
    """The user sees how many steps there are, and of the big ones how much they fetch."""
    shown: list[str] = []
    set_up(workplace, root, ["cpu"], shown.append)
    assert [line for line in shown if line.startswith("[")] == [
        "[1/5] Python environment in .venv",
        "[2/5] torch==2.13.0+cpu, about 200 MB",
        "[3/5] 1 packages of requirements/cpu.txt, about 500 MB",
        "[4/5] trying the packages",
        "[5/5] this project, in place",
    ]


def test_parse_groups() -> None:
    """The core is always in, first and once; unknown names are refused."""
    assert parse_groups([]) == ["cpu"]
    assert parse_groups(["listen", "dev", "listen"]) == ["cpu", "dev", "listen"]
    assert parse_groups(["services", "browser"]) == ["cpu"]
    with pytest.raises(SetupError, match="out of cpu, dev, listen, services, browser; found gpu"):
        parse_groups(["gpu"])


def test_two_at_once(tmp_path: Path) -> None:
    """A second set-up says that it waits, and goes on when the first has ended."""
    waits, shown = threading.Event(), list[str]()

    def say(line: str) -> None:
        shown.append(line)
        waits.set()

    def second() -> None:
        with alone_in(tmp_path, say):
            shown.append("second at work")

    thread = threading.Thread(target=second)
    with alone_in(tmp_path, shown.append):
        thread.start()
        assert waits.wait(10)
        shown.append("first ends")
    thread.join(10)
    assert [line.split(":")[-1] for line in shown] == [" waiting for it", "first ends", "second at work"]


def test_the_lock_outlives_a_killed_set_up(tmp_path: Path) -> None:
    """pip inherits the lock: while it works on, another set-up finds the folder taken."""
    waits = threading.Event()
    with alone_in(tmp_path, print) as lock:
        inherited = os.dup(lock)  # as in a child process: the same open file

    def second() -> None:
        with alone_in(tmp_path, lambda line: waits.set()):
            pass

    thread = threading.Thread(target=second)
    thread.start()
    assert waits.wait(10)
    os.close(inherited)
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize("name", ["setup", "debian", "environment", "installer", "interpreter", "stamp"])
def test_old_pythons_can_read_it(name: str) -> None:
    """The set-up must run far enough on Python 3.8 to say that it wants a newer one."""
    ast.parse((ROOT / "scripts" / f"{name}.py").read_text("utf-8"), feature_version=(3, 8))
