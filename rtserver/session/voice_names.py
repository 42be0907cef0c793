"""What a voice is called: the server's own names, aliases of the settings, and the names of other services."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import translate

from cosyvoice.voice.catalogue import DEFAULT, GENDERS, name_key
from rtserver.session.foreign_voices import FOREIGN_VOICES

# No voice has a longer name. The time of a comparison with a pattern grows with the square of the length.
_NAME_CHARS = 200


class VoiceNames:
    """Finds the voice that a client means. Case, width and separators make no difference.

    The first of these counts: an alias of the settings, a voice of the server, a pattern of the settings, a voice of
    another service. A name that is none of them stays as it is, and the engine refuses it.
    """

    def __init__(self, own: Iterable[str] = (), aliases: Mapping[str, str] | None = None) -> None:
        """own: names and aliases of the server's voices. aliases: of the settings; a key with `*` is a pattern."""
        aliases = aliases or {}
        self._own = {name_key(name) for name in (*own, *GENDERS, DEFAULT)}
        self._exact = {name_key(name): voice for name, voice in aliases.items() if "*" not in name}
        patterns = [(name, voice) for name, voice in aliases.items() if "*" in name]
        # Compiled here, at the start of the server: it takes up to 35 ms.
        self._others = [
            (re.compile(translate(name_key(name))), voice) for name, voice in (*patterns, *FOREIGN_VOICES.items())
        ]

    def resolve(self, name: str) -> str:
        """The name of the voice that speaks."""
        if len(name) > _NAME_CHARS:
            return name
        key = name_key(name)
        if (voice := self._exact.get(key)) is not None:
            return voice
        if key in self._own:
            return name
        return next((voice for pattern, voice in self._others if pattern.match(key)), name)

    def knows(self, name: str) -> bool:
        """Whether a voice speaks for this name."""
        return len(name) <= _NAME_CHARS and name_key(self.resolve(name)) in self._own
