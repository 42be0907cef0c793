"""Programs from Debian packages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from debian import install_packages, listed, missing_packages
from interpreter import SetupError
from setup import PROGRAMS

ROOT = Path(__file__).resolve().parents[2]


def test_the_list_is_read() -> None:
    """A package, its command and its group a line; comments and empty lines are left out."""
    text = "# what tests need\n\nnginx-light nginx services # a proxy\nflac flac services\nchromium chromium browser\n"
    assert listed(text, "services") == {"nginx-light": "nginx", "flac": "flac"}
    assert listed(text, "browser") == {"chromium": "chromium"}
    for group in PROGRAMS:
        assert listed((ROOT / "requirements" / "debian.txt").read_text(), group)


def test_a_command_that_is_there_is_not_missing(tmp_path: Path) -> None:
    """What counts is the command, wherever it came from."""
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "debian.txt").write_text("one first-command services\ntwo second-command services\n")
    assert missing_packages(tmp_path, "services", str(tmp_path)) == ["one", "two"]
    assert missing_packages(tmp_path, "browser", str(tmp_path)) == []
    program = tmp_path / "second-command"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert missing_packages(tmp_path, "services", str(tmp_path)) == ["one"]


class Commands:
    """Runs nothing, and fails the commands that hold `fails`."""

    def __init__(self, fails: str = "none") -> None:
        self.fails = fails
        self.ran: list[str] = []

    def run(self, command: Sequence[str], environment: Mapping[str, str]) -> str | None:
        self.ran.append(" ".join(command))
        assert environment["DEBIAN_FRONTEND"] == "noninteractive"
        return "no route to host" if self.fails in command else None


@pytest.fixture
def with_apt(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with apt-get."""
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")


@pytest.mark.usefixtures("with_apt")
@pytest.mark.parametrize("fails", ["none", "update"])
def test_root_installs(fails: str) -> None:
    """The lists are renewed if they can be, and the packages are installed."""
    commands, shown = Commands(fails), list[str]()
    install_packages(["flac", "nginx"], shown.append, commands.run, True)
    assert [command.split()[1] for command in commands.ran] == ["update", "install"]
    assert commands.ran[1].endswith(" flac nginx")
    assert shown == ["Debian packages: flac, nginx"]


@pytest.mark.usefixtures("with_apt")
def test_a_failed_installation() -> None:
    """The error holds the command and what apt-get said."""
    with pytest.raises(SetupError, match="apt-get install flac` failed:\nno route to host"):
        install_packages(["flac"], print, Commands("install").run, True)


@pytest.mark.usefixtures("with_apt")
def test_others_are_told_what_to_install() -> None:
    """Without root's rights nothing is run."""
    commands = Commands()
    with pytest.raises(SetupError, match="As root: apt-get install flac"):
        install_packages(["flac"], print, commands.run, False)
    assert commands.ran == []


def test_a_machine_without_apt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another distribution's user is told what is needed."""
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(SetupError, match="Debian packages flac"):
        install_packages(["flac"], print, Commands().run, True)


def test_nothing_missing() -> None:
    """Nothing is run."""
    commands = Commands()
    install_packages([], print, commands.run, False)
    assert commands.ran == []
