"""Keys as the settings write them."""

from __future__ import annotations

import pytest

from rtserver.session.api_key import CLIENT_SCOPES, ApiKey, entries_of
from rtserver.session.caller import EVERY_SCOPE


def test_a_key_of_its_own_is_a_clients() -> None:
    """It may speak and enrol voices; figures, traces and changes of the server must be granted."""
    assert ApiKey.parse("k#1") == ApiKey("k#1", CLIENT_SCOPES)
    assert {"speak", "enrol"} == CLIENT_SCOPES and {"metrics", "trace", "admin"} == EVERY_SCOPE - CLIENT_SCOPES


def test_scopes_follow_the_key() -> None:
    """Those that are named, and no others."""
    assert ApiKey.parse("key metrics") == ApiKey("key", frozenset({"metrics"}))
    assert ApiKey.parse("key speak,trace") == ApiKey("key", frozenset({"speak", "trace"}))


@pytest.mark.parametrize("entry", ["", " ", " key", "key ", "key SECRET", "key speak,", "key speak SECRET", "key ,"])
def test_what_is_no_entry_is_refused_without_its_text(entry: str) -> None:
    """An error may be logged, so it tells no part of a key."""
    with pytest.raises(ValueError, match="expected") as refused:
        ApiKey.parse(entry)
    assert "SECRET" not in str(refused.value)


def test_a_key_shows_itself_nowhere() -> None:
    """Its repr is for logs."""
    assert "SECRET" not in repr(ApiKey("SECRET"))


def test_a_file_has_a_key_on_each_line() -> None:
    """With comments, empty lines and any space."""
    text = "# keys\n\nfirst\nsecond#2\t speak,metrics   # Prometheus\r\n  third # the phone\n#fourth\n"
    assert list(entries_of(text)) == ["first", "second#2 speak,metrics", "third"]
