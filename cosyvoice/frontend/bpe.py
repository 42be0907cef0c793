"""The Qwen2 byte-level BPE, without any special token."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import Regex
from tokenizers.models import BPE
from tokenizers.normalizers import NFC
from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split

from cosyvoice.errors import CheckpointError

# How Qwen2 cuts text before merging: contractions, words with one sign or space before them, single digits, signs.
QWEN2_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPACE = "Ġ"  # the letter of byte-level BPE for the byte 0x20
CJK_LEAD_BYTES = "ãäåæçèé"  # its letters for 0xE3..0xE9, the first bytes of U+3000..U+9FFF in UTF-8


class BpeEncoder:
    """Text -> ids below `size`. Every string has ids. Lone surrogates are left out, because UTF-8 cannot encode them.

    word_initial: ids that begin a word: tokens whose first character is a space or a CJK character.
    """

    def __init__(self, vocabulary: dict[str, int], merges: list[tuple[str, str]]) -> None:
        self.size = len(vocabulary)
        self.word_initial = frozenset(i for token, i in vocabulary.items() if token[0] in SPACE + CJK_LEAD_BYTES)
        self._tokenizer = tokenizers.Tokenizer(BPE(vocab=vocabulary, merges=merges))
        self._tokenizer.normalizer = NFC()
        self._tokenizer.pre_tokenizer = Sequence(
            [Split(Regex(QWEN2_WORDS), behavior="isolated"), ByteLevel(add_prefix_space=False, use_regex=False)]
        )

    @classmethod
    def load(cls, directory: Path) -> tuple[BpeEncoder, dict[str, int], Path]:
        """Reads tokenizer.json, or vocab.json + merges.txt + tokenizer_config.json.

        Returns the encoder, the special tokens in these files with their ids, and the file that has the special tokens.
        Raises CheckpointError, which names the file.
        """
        whole = directory / "tokenizer.json"
        if whole.exists():
            raw = _json_object(whole)
            model = raw.get("model")
            if not isinstance(model, dict) or not isinstance(model.get("vocab"), dict) or "merges" not in model:
                raise CheckpointError(f"{whole}: expected a BPE model with vocab and merges, found {_kind(model)}")
            added = {str(t["content"]): int(t["id"]) for t in raw.get("added_tokens", [])}
            pairs = [tuple(m) if isinstance(m, list) else tuple(m.split(" ")) for m in model["merges"]]
            return cls._checked(whole, model["vocab"], whole, pairs), added, whole

        vocab_path, merges_path = directory / "vocab.json", directory / "merges.txt"
        vocabulary = _json_object(vocab_path)
        lines = _text(merges_path).splitlines()
        pairs = [tuple(line.split(" ")) for line in lines if line and not line.startswith("#version")]
        config_path = directory / "tokenizer_config.json"
        config = _json_object(config_path)
        kind = config.get("tokenizer_class", "Qwen2Tokenizer")
        if kind not in ("Qwen2Tokenizer", "Qwen2TokenizerFast"):
            raise CheckpointError(f"{config_path}: tokenizer_class: expected Qwen2Tokenizer, found {kind!r}")
        added = {str(t["content"]): int(i) for i, t in config.get("added_tokens_decoder", {}).items()}
        return cls._checked(vocab_path, vocabulary, merges_path, pairs), added, config_path

    @classmethod
    def _checked(
        cls, vocab_path: Path, vocabulary: dict[str, int], merges_path: Path, pairs: list[tuple[str, ...]]
    ) -> BpeEncoder:
        if sorted(vocabulary.values()) != list(range(len(vocabulary))):
            raise CheckpointError(f"{vocab_path}: expected the ids 0..{len(vocabulary) - 1} once each, found others")
        missing = [letter for letter in ByteLevel.alphabet() if letter not in vocabulary]
        if missing:
            raise CheckpointError(f"{vocab_path}: expected a token for each of the 256 bytes, found none for {missing}")
        merges: list[tuple[str, str]] = []
        for pair in pairs:
            if len(pair) != 2 or any(part not in vocabulary for part in (*pair, "".join(pair))):
                raise CheckpointError(
                    f"{merges_path}: expected two tokens of {vocab_path.name} that merge into a third, "
                    f"found {' '.join(pair)!r}"
                )
            merges.append((pair[0], pair[1]))
        return cls(vocabulary, merges)

    def encode(self, text: str) -> tuple[list[int], list[str]]:
        """The ids of `text`. The second value is always empty, because every piece of text has ids."""
        ids: list[int] = self._tokenizer.encode(text.encode("utf-8", "ignore").decode(), add_special_tokens=False).ids
        return ids, []


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise CheckpointError(f"{path}: expected a file of the Qwen2 tokenizer, found no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path}: expected UTF-8 text, found {error}") from error


def _json_object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise CheckpointError(f"{path}: expected a JSON object, found {error}") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path}: expected a JSON object, found {_kind(value)}")
    return value


def _kind(value: object) -> str:
    return "none" if value is None else type(value).__name__
