"""Where `rtserver serve`, `say` and `trace` take their keys from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rtserver.commands import cli
from rtserver.commands.cli import build_parser


def keys(*arguments: str) -> list[str]:
    return cli._server_config(build_parser().parse_args(["serve", *arguments])).api_keys


def test_the_environments_key_is_taken_out_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The processes that the server starts inherit the environment."""
    monkeypatch.setenv("RTSERVER_API_KEY", "secret")
    assert keys() == ["secret"]
    assert "RTSERVER_API_KEY" not in os.environ


def test_options_go_before_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key of the environment may be meant for a client's command."""
    file = tmp_path / "keys"
    file.write_text("one\ntwo\n")
    for arguments, expected in ((["--api-key", "a"], ["a"]), (["--api-key-file", str(file)], ["one", "two"])):
        monkeypatch.setenv("RTSERVER_API_KEY", "secret")
        assert keys(*arguments) == expected


@pytest.mark.parametrize("command", [["say", "Hello."], ["trace", "u_x"]])
def test_a_clients_key_comes_from_the_environment(
    command: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Or from an argument, with a warning that does not tell it."""
    monkeypatch.setenv("RTSERVER_API_KEY", "from the environment")
    assert cli._options(build_parser().parse_args(command))["api_key"] == "from the environment"
    assert caplog.records == []
    assert cli._options(build_parser().parse_args([*command, "--api-key", "argument"]))["api_key"] == "argument"
    (record,) = caplog.records
    assert "every user of this machine can read it" in record.getMessage() and "argument" not in record.getMessage()
