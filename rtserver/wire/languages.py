"""Which language a client asks for, where its protocol names one beside the text."""

from __future__ import annotations

from collections.abc import Collection

# These are told apart in the text itself. Agents name English by default and speak Mandarin too.
_FOUND_IN_THE_TEXT = ("en", "zh")


def asked_language(tag: str | None, languages: Collection[str]) -> str:
    """For a `start`: the language of a tag such as `fr` or `fr-CA`, if the model speaks it; else `auto`."""
    name = (tag or "").strip().lower().replace("_", "-").partition("-")[0]
    return name if name in languages and name not in _FOUND_IN_THE_TEXT else "auto"
