"""Tokenizers and readers for the frontend's tests, shared because G2Ps and grammars take seconds to load."""

from __future__ import annotations

import pytest
from tokenizers.pre_tokenizers import ByteLevel

from cosyvoice.config import ModelConfig
from cosyvoice.frontend.bpe import BpeEncoder
from cosyvoice.frontend.normalize import Normalizer
from cosyvoice.frontend.phonemes import Phonemizer
from cosyvoice.frontend.reader import Reader
from cosyvoice.frontend.special_tokens import MARKUP, SPECIAL_TOKENS
from cosyvoice.frontend.tokenizer import Tokenizer
from cosyvoice.models import NANO


@pytest.fixture(scope="session")
def normalizer() -> Normalizer:
    """wetext's grammars."""
    return Normalizer()


@pytest.fixture(scope="session")
def phonemizer() -> Phonemizer:
    """Both G2Ps."""
    return Phonemizer()


@pytest.fixture(scope="session")
def byte_tokenizer() -> Tokenizer:
    """A BPE tokenizer without merges (one id a byte) with CosyVoice3's special tokens."""
    letters = {letter: i for i, letter in enumerate(sorted(ByteLevel.alphabet()))}
    specials = {name: len(letters) + i for i, name in enumerate(["<|endoftext|>", *SPECIAL_TOKENS])}
    return Tokenizer(BpeEncoder(letters, []), specials, len(letters) + len(specials), MARKUP)


@pytest.fixture(scope="session")
def nano_tokenizer() -> Tokenizer:
    """The embedded voice's tokenizer."""
    return Tokenizer.load(ModelConfig.load(NANO))


@pytest.fixture(scope="session")
def bpe_reader(byte_tokenizer: Tokenizer) -> Reader:
    """Reads text as a released checkpoint does."""
    return Reader(byte_tokenizer)


@pytest.fixture(scope="session")
def nano_reader(nano_tokenizer: Tokenizer) -> Reader:
    """Reads text as the embedded voice does."""
    return Reader.for_model(ModelConfig.load(NANO), nano_tokenizer)
