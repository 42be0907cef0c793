"""Text ids of a checkpoint. Ordinary text can never become a control id, whatever it holds.

Two kinds: "bpe" (Qwen2 byte-level BPE over the text itself) and "phonemes" (the embedded voice: one id a phoneme).
Neither encoder knows a special token; those are looked up by name. So user text needs no escaping to be safe.
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
    """Turns ordinary text into ids and never into a special one."""

    word_initial: frozenset[int]

    def encode(self, text: str) -> tuple[list[int], list[str]]:
        """The ids of `text`, and the pieces that have none."""


class Tokenizer:
    """The text ids of one checkpoint.

    encoder: ids of ordinary text.
    specials: special token -> id, control tokens and markup alike.
    vocab_size: one more than the highest id in use.
    markup: the special tokens user text may ask for, such as `[breath]`; never a control token.
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

        Raises CheckpointError when a file is missing or does not fit, naming it, what was expected and what was found.
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
        """Ids of ordinary text (for phonemes: of a phoneme string). Special tokens in it are plain characters."""
        return self.encoder.encode(text)[0]

    def encode_trusted(self, text: str) -> list[int]:
        """Ids of text from the checkpoint or the operator: special tokens in it become their ids.

        What the original's tokenizer gives for the same string. Not for user text.
        """
        ids: list[int] = []
        for part in self._special.split(text):
            special = self.specials.get(part)
            ids.extend(self.encode(part) if special is None else [special])
        return ids

    def special(self, name: str) -> int:
        """The id of a special token. Raises TextError if this checkpoint has none of that name."""
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
    for name, found in stored.items():  # the files may already hold some of these tokens, at the same ids
        if specials.get(name) != found:
            expected = f"id {specials[name]}" if name in specials else "a token of CosyVoice3"
            raise CheckpointError(f"{path}: added token {name!r}: expected {expected}, found id {found}")
    return Tokenizer(encoder, specials, encoder.size + len(specials), MARKUP), path


def _load_phonemes(path: Path) -> tuple[Tokenizer, Path]:
    encoder, specials = PhonemeEncoder.load(path)
    if END_OF_PROMPT not in specials:
        raise CheckpointError(f"{path}: expected an added token {END_OF_PROMPT}, found {sorted(specials)}")
    size = 1 + max(*encoder.ids.values(), *specials.values())
    # [breath] and [laughter] have ids in the embedded voice, but it has never been trained on them.
    return Tokenizer(encoder, specials, size, markup=frozenset()), path
