"""LiveKit's markup `<expr .../>`, as a model writes it, in the tags that the server knows. Pure.

The framework teaches models one kind of tag for all voices. Here a pause becomes `<break>`, a rate `<prosody>`, and
letters `<say-as>`. All else that such a tag may ask for is left out, because these voices do not have it.
"""

from __future__ import annotations

import re

_LONGEST = 200  # characters of a tag that are waited for
_TAG = re.compile(r"<(/?)expr\b([^>]*?)(/?)\s*>")
_ATTRIBUTE = re.compile(r'([\w-]+)\s*=\s*"([^"]*)"')
_DURATION = re.compile(r"\d+(\.\d+)?(ms|s)")
RATES = ("x-slow", "slow", "fast", "x-fast")


class Lowering:
    """Of one text that comes in pieces. A tag may be cut anywhere."""

    def __init__(self) -> None:
        self._held = ""
        self._closing: list[str] = []  # for each open <expr>, what ends it

    def feed(self, text: str) -> str:
        """The text that is certain now."""
        text = self._held + text
        at = _unfinished_tag(text)
        self._held = text[at:]
        return _TAG.sub(self._lower, text[:at])

    def end(self) -> str:
        """What is left, with the spans closed that are still open."""
        rest, self._held = self._held, ""
        closing = "".join(reversed(self._closing))
        self._closing.clear()
        return rest + closing

    def _lower(self, tag: re.Match[str]) -> str:
        closes, attributes, is_whole = tag.groups()
        if closes:
            return self._closing.pop() if self._closing else ""
        given = dict(_ATTRIBUTE.findall(attributes))
        kind, label = given.get("type", ""), given.get("label", "").strip().lower()
        if kind == "break":
            return f'<break time="{label}"/>' if _DURATION.fullmatch(label) else "<break/>"
        if is_whole or kind not in ("prosody", "spell"):
            if not is_whole and kind not in ("expression", "sound"):  # these two hold no text: models forget the slash
                self._closing.append("")
            return ""
        if kind == "spell":
            self._closing.append("</say-as>")
            return '<say-as interpret-as="characters">'
        if label not in RATES:
            self._closing.append("")
            return ""
        self._closing.append("</prosody>")
        return f'<prosody rate="{label}">'


def _unfinished_tag(text: str) -> int:
    """Where a tag of this kind begins that may go on in the next piece; else the end of the text."""
    at = text.rfind("<")
    if at < 0 or ">" in text[at:] or len(text) - at > _LONGEST:
        return len(text)
    begun = text[at:]
    names = ("<expr", "</expr")
    return at if any(name.startswith(begun) or begun.startswith(name) for name in names) else len(text)
