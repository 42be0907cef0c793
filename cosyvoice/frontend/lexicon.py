"""A pronunciation dictionary: finds its words in a text. Pure.

A match begins and ends between two words, and the longest one counts. Han characters are not joined to words, so a Han
word is found anywhere. `spans` says which stretches of a stream must not be cut, and from where on more text decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from cosyvoice.frontend.addresses import ADDRESS
from cosyvoice.frontend.characters import clean
from cosyvoice.frontend.language import HAN, KANA
from cosyvoice.frontend.lexicon_entry import LexiconEntry

_UNJOINED = re.compile(f"[{HAN}{KANA}]")
_SPACES = " \t\u00a0"


@dataclass
class _Node:
    """What may follow the same beginning of some words."""

    next: dict[str, _Node] = field(default_factory=dict)
    # Entries whose word ends here.
    entries: list[LexiconEntry] = field(default_factory=list)


@dataclass(frozen=True)
class _Match:
    start: int
    end: int
    entry: LexiconEntry


class Lexicon:
    """Entries, in front of those of another lexicon. Of two for the same word the one in front counts; in one lexicon
    the one with a language, then the one that heeds capitals, then the last one.
    """

    def __init__(self, entries: Iterable[LexiconEntry], below: Lexicon | None = None) -> None:
        root = _Node()
        for entry in entries:
            node = root
            for character in entry.word:
                node = node.next.setdefault(_folded(character), _Node())
            node.entries.append(entry)
        self._roots: tuple[_Node, ...] = (root,) * bool(root.next) + (() if below is None else below._roots)
        first = {c for root in self._roots for one in root.next for c in (one, one.upper()) if len(c) == 1}
        self._first = re.compile(f"[{re.escape(''.join(sorted(first)))}]" if first else r"(?!)")

    def __bool__(self) -> bool:
        return bool(self._roots)

    def spans(self, text: str, final: bool) -> tuple[list[tuple[int, int]], int | None]:
        """The places of its words in `text`, and from where on more text decides (None: nowhere).

        final: no more text comes.
        """
        matches, unclear = self._scan(text, None, final)
        return [(match.start, match.end) for match in matches], unclear

    def parts(self, text: str, language: str) -> list[str | LexiconEntry]:
        """`text` (cleaned) with what is said in place of its words: as text, or as an entry with phones."""
        parts: list[str | LexiconEntry] = [""]
        at = 0
        for match in self._in_clause(text, language):
            parts[-1] = f"{parts[-1]}{text[at : match.start]}"
            at = match.end
            if match.entry.say:
                parts[-1] = f"{parts[-1]}{clean(match.entry.say)}"
            else:
                parts += [match.entry, ""]
        parts[-1] = f"{parts[-1]}{text[at:]}"
        return [part for part in parts if part != ""]

    def _in_clause(self, text: str, language: str) -> Iterator[_Match]:
        """The matches but for those inside an address, which would not be read as one any more."""
        addresses = [found.span() for found in ADDRESS.finditer(text)]
        for match in self._scan(text, language, final=True)[0]:
            span = (match.start, match.end)
            if span in addresses or not any(start < match.end and match.start < end for start, end in addresses):
                yield match

    def _scan(self, text: str, language: str | None, final: bool) -> tuple[list[_Match], int | None]:
        matches: list[_Match] = []
        at = 0
        while (found := self._first.search(text, at)) is not None:
            start = found.start()
            if _joined(text, start):
                at = start + 1
                continue
            match, unclear = self._longest(text, start, language)
            if unclear and not final:
                return matches, start
            if match is None:
                at = start + 1
            else:
                matches.append(match)
                at = match.end
        return matches, None

    def _longest(self, text: str, start: int, language: str | None) -> tuple[_Match | None, bool]:
        """The longest match that begins at `start`, and whether more text could change that."""
        best: _Match | None = None
        unclear = False
        for root in self._roots:
            node: _Node | None = root
            at = start
            while node is not None:
                if node.entries and (best is None or at > best.end) and not _joined(text, at):
                    entry = _chosen(node.entries, text[start:at], language)
                    best = best if entry is None else _Match(start, at, entry)
                if at == len(text):
                    unclear = True
                    break
                node, at = node.next.get(_folded(text[at])), at + 1
        return best, unclear


def _chosen(entries: list[LexiconEntry], written: str, language: str | None) -> LexiconEntry | None:
    """The entry for a word that is written so, in a clause of `language`; None: of any."""
    fitting = [
        entry
        for entry in entries
        if (language is None or entry.language in ("", language)) and (not entry.case or _spaced(written) == entry.word)
    ]
    return max(reversed(fitting), key=lambda entry: (bool(entry.language), entry.case), default=None)


def _joined(text: str, at: int) -> bool:
    """Whether the characters before and after this place belong to one word."""
    return 0 < at < len(text) and _is_of_word(text[at - 1]) and _is_of_word(text[at])


def _is_of_word(character: str) -> bool:
    return (character.isalnum() or character == "_") and _UNJOINED.match(character) is None


def _folded(character: str) -> str:
    """The same for all characters that count as equal."""
    if character in _SPACES:
        return " "
    lower = character.lower()
    return lower if len(lower) == 1 else character


def _spaced(written: str) -> str:
    return "".join(" " if character in _SPACES else character for character in written)
