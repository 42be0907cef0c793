"""Text ids of a checkpoint. No ordinary text can become a control id.

There are two kinds: "bpe" (Qwen2's byte-level BPE over the text itself) and "phonemes" (the embedded voice: one id for
each phoneme). Neither encoder knows special tokens; they are looked up by name. So user text is safe without escaping.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from cosyvoice.config import ModelConfig
from cosyvoice.errors import CheckpointError, TextError
from cosyvoice.frontend.bpe import BpeEncoder
from cosyvoice.frontend.phoneme_ids import PhonemeEncoder
from cosyvoice.frontend.special_tokens import MARKUP, SPECIAL_TOKENS, is_control

END_OF_PROMPT = "<|endofprompt|>"


class IdEncoder(Protocol):
    """Turns ordinary text into ids, which are never those of special tokens."""

    word_initial: frozenset[int]

    def encode(self, text: str) -> tuple[list[int], list[str]]:
        """The ids of `text`, and the pieces of it that have no id."""


class Tokenizer:
    """The text ids of one checkpoint.

    encoder: ids of ordinary text.
    specials: special token -> id, both control tokens and markup.
    vocab_size: one more than the highest id in use.
    markup: the special tokens that user text may contain, such as `[breath]`; no control tokens.
    """

    def __init__(
        self, encoder: IdEncoder, specials: Mapping[str, int], vocab_size: int, markup: frozenset[str]
    ) -> None:
        self.encoder = encoder
        self.specials = dict(specials)
        self.vocab_size = vocab_size
        self.markup = markup
        self.control_ids = frozenset(i for name, i in specials.items() if is_control(name))
        names = sorted(specials, key=len, reverse=True)  # the longest match wins
        self._special = re.compile("(" + "|".join(map(re.escape, names)) + ")")

    @classmethod
    def load(cls, config: ModelConfig) -> Tokenizer:
        """Reads the tokenizer of `config.directory`.

        Raises CheckpointError, which names the file, when a file is missing or does not fit.
        """
        kind = config.serving.text
        if kind == "bpe":
            tokenizer, path = _load_bpe(config.directory / "CosyVoice-BlankEN")
        elif kind == "phonemes":
            tokenizer, path = _load_phonemes(config.directory / "tokenizer.json")
        else:
            path = config.directory / "serving.json"
            raise CheckpointError(f'{path}: text: expected "bpe" or "phonemes", found {kind!r}')
        if tokenizer.vocab_size > config.talker.text_rows:
            raise CheckpointError(
                f"{path}: expected at most {config.talker.text_rows} ids (the talker's text embedding), "
                f"found {tokenizer.vocab_size}"
            )
        expected, found = config.serving.end_of_prompt_id, tokenizer.specials[END_OF_PROMPT]
        if expected is not None and found != expected:
            raise CheckpointError(f"{path}: expected id {expected} for {END_OF_PROMPT}, found {found}")
        if lacking := [style.tag for style in config.serving.styles if style.tag not in tokenizer.specials]:
            raise CheckpointError(
                f"{path}: expected the styles' tags among the special tokens, found none of {lacking}"
            )
        return tokenizer

    def encode(self, text: str) -> list[int]:
        """Ids of ordinary text (for phonemes: of a phoneme string). A special token in it is read as plain
        characters."""
        return self.encoder.encode(text)[0]

    def encode_trusted(self, text: str) -> list[int]:
        """Ids of text from the checkpoint or the operator, in which special tokens become their ids. The result is that
        of the original's tokenizer. Not for user text.
        """
        ids: list[int] = []
        for part in self._special.split(text):
            special = self.specials.get(part)
            ids.extend(self.encode(part) if special is None else [special])
        return ids

    def special(self, name: str) -> int:
        """The id of a special token. Raises TextError when this checkpoint does not have it."""
        try:
            return self.specials[name]
        except KeyError:
            raise TextError(f"expected one of {len(self.specials)} special tokens, found {name!r}") from None

    @property
    def end_of_prompt_id(self) -> int:
        return self.specials[END_OF_PROMPT]


def _load_bpe(directory: Path) -> tuple[Tokenizer, Path]:
    encoder, stored, path = BpeEncoder.load(directory)
    specials = {name: i for i, name in enumerate(["<|endoftext|>", *SPECIAL_TOKENS], start=encoder.size)}
    for name, found in stored.items():  # the files may already have some of these tokens, with the same ids
        if specials.get(name) != found:
            expected = f"id {specials[name]}" if name in specials else "a token of CosyVoice3"
            raise CheckpointError(f"{path}: added token {name!r}: expected {expected}, found id {found}")
    return Tokenizer(encoder, specials, encoder.size + len(specials), MARKUP), path


def _load_phonemes(path: Path) -> tuple[Tokenizer, Path]:
    encoder, specials = PhonemeEncoder.load(path)
    if END_OF_PROMPT not in specials:
        raise CheckpointError(f"{path}: expected an added token {END_OF_PROMPT}, found {sorted(specials)}")
    size = 1 + max(*encoder.ids.values(), *specials.values())
    # [breath] and [laughter] have ids in the embedded voice, but it was not trained on them.
    return Tokenizer(encoder, specials, size, markup=frozenset()), path
