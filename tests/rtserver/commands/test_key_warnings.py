"""Warnings about keys that others can see."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtserver.commands.key_warnings import key_warnings
from rtserver.config import ServerConfig


def warned(config: ServerConfig, on_command_line: bool = False, settings_file: Path | None = None) -> list[str]:
    return list(key_warnings(config, on_command_line=on_command_line, settings_file=settings_file))


def test_a_server_of_this_machine_with_a_private_file_is_fine(tmp_path: Path) -> None:
    """So is one without keys."""
    file = tmp_path / "keys"
    file.write_text("k")
    file.chmod(0o600)
    assert warned(ServerConfig(api_keys=["k"], api_key_file=str(file)), settings_file=file) == []
    assert warned(ServerConfig(api_keys=["k"], api_key_file="-")) == []
    assert warned(ServerConfig()) == []


def test_a_key_on_the_command_line_is_visible() -> None:
    """The warning names what is safer."""
    (warning,) = warned(ServerConfig(api_keys=["SECRET"]), on_command_line=True)
    assert "--api-key-file" in warning and "RTSERVER_API_KEY" in warning and "SECRET" not in warning


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_file_of_keys_that_others_can_read_is_named(mode: int, tmp_path: Path) -> None:
    """The file of keys, and the settings if they have some."""
    file = tmp_path / "keys"
    file.write_text("k")
    file.chmod(mode)
    expected = [f"{file}: others than its owner can read this file with keys: chmod 600 {file}"]
    assert warned(ServerConfig(api_keys=["k"], api_key_file=str(file))) == expected
    assert warned(ServerConfig(api_keys=["k"]), settings_file=file) == expected
    assert warned(ServerConfig(), settings_file=file) == []


def test_keys_in_clear_text_beyond_this_machine_are_warned_of() -> None:
    """Not with TLS, and not on loopback."""
    (warning,) = warned(ServerConfig(host="0.0.0.0", api_keys=["k"]))
    assert "clear text" in warning and "--tls-cert" in warning
    assert warned(ServerConfig(host="0.0.0.0", api_keys=["k"], tls_cert="c.pem", tls_key="k.pem")) == []
