"""Which names and which pages are known, by the settings."""

from __future__ import annotations

from typing import Any

import pytest

from rtserver.config import ConfigError, ServerConfig
from rtserver.http.origins import Origins, host_name


def origins(*, wants_key: bool = False, **settings: Any) -> Origins:
    config = ServerConfig(**settings)
    return Origins.of(config, wants_key=wants_key)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("localhost", "localhost"),
        ("LocalHost:8790", "localhost"),
        ("localhost.:8790", "localhost"),
        ("127.0.0.1:8790", "127.0.0.1"),
        ("[::1]:8790", "::1"),
        ("[::1]", "::1"),
        ("tts.example.com:443", "tts.example.com"),
        ("", ""),
    ],
)
def test_a_host_has_a_name(host: str, name: str) -> None:
    """Without port, brackets, a last dot and capitals."""
    assert host_name(host) == name


@pytest.mark.parametrize("host", ["localhost", "localhost:9000", "127.0.0.1:8790", "127.8.8.8", "[::1]:8790"])
def test_this_machine_is_known_by_its_own_names(host: str) -> None:
    """On any port: it may be a tunnel's."""
    assert origins().knows_host([host])


FOREIGN = [
    "evil.example",
    "evil.example:8790",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "10.0.0.1",
    "0.0.0.0",
    "",
]


@pytest.mark.parametrize("host", FOREIGN)
def test_another_name_is_not_known(host: str) -> None:
    """On a server that needs no key and that only this machine can reach, unless it is allowed."""
    assert not origins().knows_host([host])
    assert not origins(allowed_hosts=["tts.example.com"]).knows_host([host])
    assert origins(host="0.0.0.0").knows_host([host])
    assert origins(wants_key=True).knows_host([host])


def test_an_allowed_name_is_known() -> None:
    """In any case and on any port. Where names are given, they count with keys too."""
    for server in (
        origins(allowed_hosts=["TTS.example.com"]),
        origins(wants_key=True, allowed_hosts=["tts.example.com"]),
    ):
        assert server.knows_host(["tts.example.com:443"]) and server.knows_host(["localhost"])
        assert not server.knows_host(["evil.example"])


@pytest.mark.parametrize("hosts", [[], ["localhost", "localhost"], ["localhost", "evil.example"]])
def test_one_name_is_expected(hosts: list[str]) -> None:
    """None, or several, are not."""
    assert not origins().knows_host(hosts)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://localhost:8790", "localhost:8790"),
        ("http://localhost:3000", "localhost:8790"),
        ("http://127.0.0.1:3000", "localhost:8790"),
        ("http://[::1]:3000", "127.0.0.1:8790"),
        ("https://tts.example.com", "tts.example.com"),
        ("https://TTS.example.com", "tts.EXAMPLE.com:8790"),
    ],
)
def test_a_page_of_the_same_host_is_admitted(origin: str, host: str) -> None:
    """On any port, and by any of this machine's own names."""
    assert origins().admits(origin, host)


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://localhost.evil.example",
        "http://evil.example:8790",
        "https://allowed.example.evil.example",
        "https://allowed.example:444",
        "http://allowed.example",
        "chrome-extension://localhost",
        "null",
        "file://",
        "http://",
        "localhost",
        "",
    ],
)
def test_a_page_of_another_host_is_not(origin: str) -> None:
    """Whatever its name resembles; with keys neither."""
    for server in (origins(), origins(wants_key=True), origins(allowed_origins=["https://allowed.example"])):
        assert not server.admits(origin, "localhost:8790")
        assert not server.admits(origin, "")


def test_an_allowed_page_is_admitted() -> None:
    """By the whole origin; `*` admits all, and `null` those without one."""
    server = origins(allowed_origins=["https://App.example.com", "capacitor://localhost"])
    assert server.admits("https://app.example.com", "localhost") and server.admits("capacitor://localhost", "x")
    assert origins(allowed_origins=["*"]).admits("https://evil.example", "localhost")
    assert origins(allowed_origins=["null"]).admits("null", "localhost")


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("allowed_origins", "app.example.com"),
        ("allowed_origins", "https://app.example.com/"),
        ("allowed_origins", "https://app.example.com/page"),
        ("allowed_hosts", "tts.example.com:443"),
        ("allowed_hosts", "https://tts.example.com"),
        ("allowed_hosts", ""),
        ("trusted_proxies", "proxy.example.com"),
        ("trusted_proxies", "10.0.0.1/8"),
    ],
)
def test_a_setting_that_would_never_match_is_refused(setting: str, value: str) -> None:
    """At the start, with the value."""
    with pytest.raises(ConfigError, match=f"^{setting}: expected .*{value}"):
        ServerConfig.load(None, {setting: [value]})
