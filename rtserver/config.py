"""How the server runs: defaults, then the file given by `--config`, then the command line."""

from __future__ import annotations

import ipaddress
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

import msgspec

DEFAULT_PORT = 8790


class ConfigError(ValueError):
    """A setting that cannot be used; the message says what to do."""


@dataclass(frozen=True)
class ServerConfig:
    """Every setting; the keys of the TOML file have the same names.

    host, port: where to listen; port 0 takes a free one. model: a model directory, or "nano" for the embedded voice.
    cache_dir: for prepared models and voices. engine: "local" starts the processes that speak; "fake" makes tones, to
    test clients and the front alone. languages: loaded before the server is ready, others when their first text comes;
    warm_voices: the same for voices, in each of the languages where a name means several (default, female, male).
    api_keys: clients send one of them; allow_anonymous lets everyone in beyond loopback. tls_cert, tls_key: PEM files.
    max_sockets, max_streams: what is taken at once. admission: a stream that the machine could not carry beside those
    that speak, or that is predicted to be heard later than ttfa_s, is refused; without it all are taken and suffer
    together. first_hop_tokens: speech tokens before the first sound, 0 for what suits this machine. kv_mib: memory for
    the flow's keys and values. message_bytes, text_chars, contexts, idle_s (0: never),
    slow_reader_s: limits of one client. drain_s: how long what speaks may go on after SIGTERM. recovery_s: how long an
    utterance waits for an engine process that has died. upload_bytes: of one recording. audio_folders: below which
    requests may name recordings on this machine (prompt_wav_path); none unless given.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    model: str = "nano"
    cache_dir: str | None = None
    engine: Literal["local", "fake"] = "local"
    languages: list[str] = field(default_factory=lambda: ["en", "zh"])
    warm_voices: list[str] = field(default_factory=lambda: ["default"])
    api_keys: list[str] = field(default_factory=list)
    allow_anonymous: bool = False
    tls_cert: str | None = None
    tls_key: str | None = None
    max_sockets: int = 1000
    max_streams: int = 32
    admission: bool = True
    ttfa_s: float = 3.0
    first_hop_tokens: int = 0
    kv_mib: int = 0
    message_bytes: int = 1 << 20
    text_chars: int = 20_000
    contexts: int = 32
    idle_s: float = 0.0
    slow_reader_s: float = 30.0
    drain_s: float = 30.0
    recovery_s: float = 30.0
    upload_bytes: int = 20_000_000
    audio_folders: list[str] = field(default_factory=list)
    verbose: bool = False

    @classmethod
    def load(cls, path: Path | None, overrides: Mapping[str, Any]) -> ServerConfig:
        """The settings of a file, if any, with those of the command line over them. Raises ConfigError."""
        values: dict[str, Any] = {}
        if path is not None:
            try:
                values = tomllib.loads(path.read_text())
            except OSError as error:
                raise ConfigError(f"{path}: {error.strerror or error}") from error
            except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
                raise ConfigError(f"{path}: expected TOML, found {error}") from error
        known = {f.name for f in fields(cls)}
        if unknown := sorted(values.keys() - known):
            raise ConfigError(f"{path}: unknown settings {unknown}; expected some of {sorted(known)}")
        values |= overrides
        try:
            config = msgspec.convert(values, cls)
        except msgspec.ValidationError as error:
            raise ConfigError(f"{path or 'settings'}: {error}") from error
        config.check()
        return config

    def check(self) -> None:
        """Raises ConfigError for settings that do not go together."""
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"port: expected 0 to 65535, found {self.port}")
        for name in ("max_sockets", "max_streams", "message_bytes", "text_chars", "contexts", "upload_bytes"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}: expected at least 1, found {getattr(self, name)}")
        for name in ("kv_mib", "first_hop_tokens"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name}: expected 0 or more, found {getattr(self, name)}")
        for name in ("idle_s", "slow_reader_s", "drain_s", "recovery_s", "ttfa_s"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ConfigError(f"{name}: expected 0 or more seconds, found {getattr(self, name)}")
        if bad := [language for language in self.languages if language not in ("en", "zh")]:
            raise ConfigError(f"languages: expected en or zh, found {bad[0]!r}")
        if any(not key or key != key.strip() for key in self.api_keys):
            raise ConfigError("api_keys: expected keys without space around them, found one that is empty or has some")
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ConfigError("tls_cert and tls_key: expected both or neither")
        if not self.api_keys and not self.allow_anonymous and not is_loopback(self.host):
            raise ConfigError(
                f"{self.host} can be reached from other machines: give a key (--api-key KEY, or api_keys in the file) "
                "that clients must send, or --allow-anonymous to let everyone in"
            )

    @property
    def request_bytes(self) -> int:
        """The largest whole request: a recording in base64 is a third longer than its bytes, and there may be two."""
        return 3 * self.upload_bytes + self.message_bytes

    def on(self, port: int) -> ServerConfig:
        """The same on another port."""
        return replace(self, port=port)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
