"""Ids of phonemes. The embedded voice's vocabulary has IPA letters with stress and tone."""

from __future__ import annotations

import json
import re
from pathlib import Path

from cosyvoice.errors import CheckpointError

# A phoneme is a letter with the stress mark before it and the tone mark after it.
PHONEME = re.compile(r"[ˈˌ]?[^ˈˌ][→↗↘↓]?|[ˈˌ]")
SPACE = " "
_MARKS = "ˈˌː"  # Unicode counts these as letters
# The nearest sign for signs that are not in the vocabulary. Empty: it has no sound.
NEAREST = {
    "‘": "'", "’": "'", "′": "'", "«": "“", "»": "”", "„": "“", "‟": "“", "＂": '"',
    "–": "—", "―": "—", "−": "-", "‐": "-", "‑": "-", "～": "…", "~": "…",
    "，": ",", "、": ",", "。": ".", "．": ".", "！": "!", "？": "?", "：": ":", "；": ";", "（": "(", "）": ")",
    "[": "(", "]": ")", "{": "(", "}": ")", "·": "", "•": "", "・": "", "/": SPACE, "\n": SPACE, "\t": SPACE,
    "g": "ɡ", "ɾ": "T", "ʔ": "t", "ɫ": "l", "ɝ": "ɜ", "ɒ": "ɑ", "ʣ": "z", "ʥ": "ʨ", "ʈ": "t", "ɯ": "u", "ø": "ə",
    "œ": "ɜ", "ç": "h", "ʁ": "ɹ", "ʀ": "ɹ", "β": "v", "ɣ": "ɡ", "χ": "x", "ɲ": "n", "ʎ": "l", "c": "k", "q": "k",
}  # fmt: skip


class PhonemeEncoder:
    """Phoneme string -> ids. A phoneme that is not in the vocabulary is read without its stress and tone, or as the
    nearest sound. If there is none it is left out and reported.
    """

    def __init__(self, ids: dict[str, int]) -> None:
        self.ids = ids
        self.word_initial = frozenset(i for phoneme, i in ids.items() if phoneme == SPACE)
        # Ids of sounds, which are not spaces, signs or bare stress marks.
        self.sounding = frozenset(
            i for phoneme, i in ids.items() if any(c.isalpha() and c not in _MARKS for c in phoneme)
        )

    @classmethod
    def load(cls, path: Path) -> tuple[PhonemeEncoder, dict[str, int]]:
        """Reads a `tokenizers` WordLevel file. Returns the encoder and the special tokens with their ids. Raises
        CheckpointError, which names the file.
        """
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise CheckpointError(f"{path}: expected the phoneme vocabulary, found no such file") from None
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise CheckpointError(f"{path}: expected a JSON object, found {error}") from error
        try:
            kind, vocabulary = raw["model"]["type"], raw["model"]["vocab"]
            pattern = raw["pre_tokenizer"]["pattern"]["Regex"]
            specials = {str(t["content"]): int(t["id"]) for t in raw["added_tokens"]}
            ids = {str(phoneme): int(i) for phoneme, i in vocabulary.items() if phoneme not in specials}
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise CheckpointError(
                f"{path}: expected a WordLevel model with a vocabulary, added tokens and a Split pattern, "
                f"found none ({type(error).__name__}: {error})"
            ) from error
        if kind != "WordLevel":
            raise CheckpointError(f"{path}: expected a WordLevel model, found {kind!r}")
        if pattern != PHONEME.pattern:
            raise CheckpointError(f"{path}: expected the Split pattern {PHONEME.pattern!r}, found {pattern!r}")
        if SPACE not in ids:
            raise CheckpointError(f"{path}: expected a space among the phonemes, found none")
        return cls(ids), specials

    def encode(self, text: str) -> tuple[list[int], list[str]]:
        """The ids of the phonemes in `text`, and the phonemes that have none."""
        ids: list[int] = []
        unknown: list[str] = []
        for phoneme in PHONEME.findall(text):
            known = self.ids.get(phoneme)
            if known is not None:
                ids.append(known)
            else:
                self._approximate(phoneme, ids, unknown)
        return ids, unknown

    def _approximate(self, phoneme: str, ids: list[int], unknown: list[str]) -> None:
        for letter in phoneme:
            nearest = letter if letter in self.ids else NEAREST.get(letter)
            if nearest is None or (nearest and nearest not in self.ids):
                unknown.append(letter)
            elif nearest:
                ids.append(self.ids[nearest])
