"""The server's settings."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest

from rtserver.commands.cli import build_parser
from rtserver.config import ConfigError, ServerConfig, is_loopback


def test_defaults_serve_this_machine_only() -> None:
    """Without file and flags the server listens on loopback, with the embedded voice."""
    config = ServerConfig.load(None, {})
    assert (config.host, config.model, config.api_keys) == ("127.0.0.1", "nano", [])


def test_flags_win_over_the_file(tmp_path: Path) -> None:
    """The command line overrides single settings of the file."""
    file = tmp_path / "server.toml"
    file.write_text('port = 9000\nmax_streams = 4\nlanguages = ["zh"]\n')
    config = ServerConfig.load(file, {"port": 9001})
    assert (config.port, config.max_streams, config.languages) == (9001, 4, ["zh"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("prot = 1", "unknown settings ['prot']"),
        ('port = "x"', "Expected `int`, got `str`"),
        ("port =", "expected TOML"),
        ("port = 70000", "expected 0 to 65535"),
        ("max_streams = -1", "expected 0 or more"),
        ('voice_aliases = { alloy = " " }', "voice_aliases: expected names, found ' '"),
        ("max_batch = 0", "expected at least 1"),
        ("max_body_bytes = 1000", "max_body_bytes: expected room for one request (61048576), found 1000"),
        ("stranger_share = 0", "stranger_share: expected above 0 and at most 1"),
        ("stranger_share = 1.5", "stranger_share: expected above 0 and at most 1"),
        ("[caller_limits]\nplates = 3", "caller_limits: unknown kinds ['plates']; expected some of ['batch',"),
        ("[caller_limits]\nplaces = 0", "caller_limits: expected at least 1, found places = 0"),
        ("drain_s = -1", "expected 0 or more seconds"),
        ("drain_s = inf", "expected 0 or more seconds"),
        ('languages = ["de"]', "expected en or zh"),
        ('api_keys = ["k", " k"]', "api_keys: key 2: expected KEY, or KEY SCOPE,SCOPE, without other space"),
        ('api_keys = ["k all"]', "api_keys: key 1: expected scopes out of admin, enrol, metrics, speak, trace"),
        ('api_key_file = "/nowhere/keys"', "api_key_file /nowhere/keys: No such file"),
        ('tls_cert = "c.pem"', "expected both or neither"),
        ('engine = "gpu"', "Invalid enum value 'gpu'"),
    ],
)
def test_a_bad_file_is_refused(tmp_path: Path, content: str, message: str) -> None:
    """Each mistake in a file is named."""
    file = tmp_path / "server.toml"
    file.write_text(content)
    with pytest.raises(ConfigError, match=re.escape(message)):
        ServerConfig.load(file, {})


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """A path that is no file is named."""
    with pytest.raises(ConfigError, match=r"none\.toml: No such file"):
        ServerConfig.load(tmp_path / "none.toml", {})


def test_keys_come_from_a_file_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are added to those of the settings, and count as keys; `-` is standard input."""
    file = tmp_path / "keys"
    file.write_text("# clients\nfirst\nsecond metrics # Prometheus\n")
    overrides = {"host": "0.0.0.0", "api_keys": ["zeroth"], "api_key_file": str(file)}
    assert ServerConfig.load(None, overrides).api_keys == ["zeroth", "first", "second metrics"]
    monkeypatch.setattr("sys.stdin", io.StringIO("third\n"))
    assert ServerConfig.load(None, {"api_key_file": "-"}).api_keys == ["third"]


@pytest.mark.parametrize(("content", "message"), [(b"# none\n\n", "expected a key"), (b"\xff", "expected UTF-8")])
def test_a_file_without_keys_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    """A server that was meant to have keys must not start without them."""
    file = tmp_path / "keys"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=f"{re.escape(str(file))}: {message}"):
        ServerConfig.load(None, {"api_key_file": str(file)})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "tts.example.com"])
def test_beyond_loopback_a_key_is_needed(host: str) -> None:
    """A server others can reach wants a key or an explicit permission."""
    with pytest.raises(ConfigError, match="--allow-anonymous"):
        ServerConfig.load(None, {"host": host})
    permitted: list[dict[str, Any]] = [{"api_keys": ["k"]}, {"allow_anonymous": True}]
    for setting in permitted:
        assert ServerConfig.load(None, {"host": host, **setting}).host == host


def test_loopback_is_told_from_the_rest() -> None:
    """All of 127/8, ::1 and localhost are this machine."""
    assert all(map(is_loopback, ("127.0.0.1", "127.3.4.5", "::1", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "10.0.0.1", "localhost.example.com", "")))


def test_aliases_of_voices_are_pairs() -> None:
    """Given several times, and in one table; an option that is no pair is an error."""
    parser = build_parser()
    args = parser.parse_args(["serve", "--voice-alias", "alloy=中文女", "--voice-alias", "*=default"])
    config = ServerConfig.load(None, {"voice_aliases": args.voice_aliases})
    assert config.voice_aliases == {"alloy": "中文女", "*": "default"}
    with pytest.raises(SystemExit):
        parser.parse_args(["serve", "--voice-alias", "alloy"])
