"""The tokenizer: Qwen2 BPE against transformers, the embedded voice's phonemes, and what user text can never become."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer

from cosyvoice.config import ModelConfig
from cosyvoice.errors import CheckpointError, TextError
from cosyvoice.frontend.bpe import QWEN2_WORDS
from cosyvoice.frontend.special_tokens import SPECIAL_TOKENS
from cosyvoice.frontend.tokenizer import Tokenizer
from cosyvoice.models import NANO
from cosyvoice.serving_config import ServingConfig, StyleConfig
from tests.paths import GOLDEN_DIR

GOLDEN = GOLDEN_DIR
TEXTS = [
    "",
    " ",
    "Hello, world! It's the 3rd of May, isn't it?",
    "THE QUICK brown fox doesn't   jump\t over\n\n the lazy dog.\r\n",
    "收到好友从远方寄来的生日礼物，那份意外的惊喜让我心中充满了甜蜜的快乐。",
    "我用 iPhone 15 Pro 拍照，花了 ￥1,250.50 元！",
    "1234567890 3.14 10,000 50% $12.50",
    "👍🏽 ok 👨‍👩‍👧 🇨🇳 ♥",
    "e\u0301 vs \u00e9, ﬁ, ½, ①, \u200b\u00a0\u3000|",
    "Привет, こんにちは, 안녕, مرحبا",
    "'LL 're <b> [xx] {y} \\ / ~~ ``` def f(x): return x**2",
    "\x00\x07 control",
]


@pytest.fixture(scope="module")
def qwen_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model directory with Qwen2 tokenizer files of a small vocabulary."""
    directory = tmp_path_factory.mktemp("model")
    write_qwen_files(directory / "CosyVoice-BlankEN")
    return directory


def write_qwen_files(directory: Path) -> None:
    """vocab.json, merges.txt and tokenizer_config.json as Qwen2 has them, trained on TEXTS."""
    directory.mkdir()
    trained = tokenizers.Tokenizer(BPE())
    trained.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [
            tokenizers.pre_tokenizers.Split(tokenizers.Regex(QWEN2_WORDS), behavior="isolated"),
            tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    trainer = BpeTrainer(vocab_size=700, initial_alphabet=alphabet, show_progress=False)
    trained.train_from_iterator(TEXTS * 5, trainer)
    trained.model.save(str(directory))
    base = len(json.loads((directory / "vocab.json").read_text()))
    added = {str(base + i): {"content": name} for i, name in enumerate(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])}
    config = {"tokenizer_class": "Qwen2Tokenizer", "added_tokens_decoder": added}
    (directory / "tokenizer_config.json").write_text(json.dumps(config))


def bpe_config(directory: Path, end_of_prompt_id: int | None = None) -> ModelConfig:
    """The configuration of a BPE checkpoint in `directory`."""
    nano = ModelConfig.load(NANO)
    return dataclasses.replace(
        nano,
        directory=directory,
        talker=dataclasses.replace(nano.talker, text_rows=2000),
        serving=ServingConfig(text="bpe", end_of_prompt_id=end_of_prompt_id),
    )


@pytest.fixture(scope="module")
def bpe(qwen_dir: Path) -> Tokenizer:
    """A BPE tokenizer with CosyVoice3's special tokens."""
    return Tokenizer.load(bpe_config(qwen_dir))


@pytest.fixture(scope="module")
def phonemes() -> Tokenizer:
    """The embedded voice's tokenizer."""
    return Tokenizer.load(ModelConfig.load(NANO))


@pytest.fixture(scope="module")
def reference(qwen_dir: Path) -> Any:
    """transformers' Qwen2 tokenizer on the same files, with CosyVoice3's tokens added as the original adds them."""
    from transformers import Qwen2Tokenizer

    directory = qwen_dir / "CosyVoice-BlankEN"
    vocabulary = json.loads((directory / "vocab.json").read_text())
    lines = (directory / "merges.txt").read_text().splitlines()[1:]
    merges: Any = [tuple(line.split(" ")) for line in lines]
    tokenizer = Qwen2Tokenizer(vocab=vocabulary, merges=merges)
    golden = json.loads((GOLDEN / "special_tokens_v3.json").read_text(encoding="utf-8"))["ids"]
    tokenizer.add_tokens([tokenizers.AddedToken(name, special=True) for name in sorted(golden, key=golden.get)])
    return tokenizer


def test_special_tokens_are_the_released_ones() -> None:
    """The packaged list gives every special token its golden id after Qwen2's 151,644 base ids."""
    golden = json.loads((GOLDEN / "special_tokens_v3.json").read_text(encoding="utf-8"))
    assert {name: golden["first_id"] + i for i, name in enumerate(SPECIAL_TOKENS)} == golden["ids"]


@pytest.mark.parametrize("text", TEXTS)
def test_bpe_encodes_like_transformers(bpe: Tokenizer, reference: Any, text: str) -> None:
    """Ordinary text has the ids of transformers' Qwen2 tokenizer."""
    assert bpe.encode(text) == reference(text).input_ids


@settings(deadline=None)
@given(st.text(max_size=40))
def test_bpe_encodes_any_text_like_transformers(bpe: Tokenizer, reference: Any, text: str) -> None:
    """So has any text of valid characters, with whatever special tokens stand in it if it is trusted."""
    text = text.encode("utf-8", "ignore").decode()
    assert bpe.encode_trusted(text) == reference(text).input_ids


@pytest.mark.parametrize(
    "text",
    [
        "You are a helpful assistant.<|endofprompt|>Hello [breath] world",
        "[laughter]<strong>好</strong>的[zh][ōng][AA1]",
        "<|im_start|>a<|im_end|> <|endoftext|>",
        "<|endofprompt|><|endofprompt|>",
        " [breath]  x",
        "[ ǜ][ǜ]<|endofprompt",
    ],
)
def test_trusted_bpe_parses_special_tokens_like_transformers(bpe: Tokenizer, reference: Any, text: str) -> None:
    """Text of the checkpoint's own, special tokens included, has the ids the original's tokenizer gives it."""
    assert bpe.encode_trusted(text) == reference(text).input_ids


def test_bpe_ids_follow_the_base_vocabulary(bpe: Tokenizer) -> None:
    """The list's i-th token has the id base + 1 + i, after <|endoftext|>; vocab_size is one more than the last."""
    base = bpe.special("<|endoftext|>")
    assert bpe.special("<|im_start|>") == base + 1
    assert bpe.end_of_prompt_id == base + 3
    assert bpe.special("[breath]") == base + 4
    assert bpe.vocab_size == base + 281


@settings(deadline=None)
@given(st.text(alphabet=st.one_of(st.sampled_from("<|>[] endofprompt_im\ud83d"), st.characters()), max_size=60))
def test_text_never_has_special_ids(bpe: Tokenizer, phonemes: Tokenizer, text: str) -> None:
    """encode gives no special id for any string, lone surrogates included."""
    assert not set(bpe.encode(text)) & set(bpe.specials.values())
    assert not set(phonemes.encode(text)) & set(phonemes.specials.values())


def test_control_tokens_are_no_markup(bpe: Tokenizer, phonemes: Tokenizer) -> None:
    """User text may ask for sounds and phones, not for control tokens; the embedded voice knows no markup."""
    assert "[breath]" in bpe.markup
    assert "[zh]" in bpe.markup
    assert not any(name.startswith("<|") for name in bpe.markup)
    assert {bpe.special("<|endofprompt|>"), bpe.special("<|im_start|>")} <= bpe.control_ids
    assert phonemes.markup == frozenset()


def test_word_initial_ids(bpe: Tokenizer, phonemes: Tokenizer) -> None:
    """Words begin with a space or a CJK character in BPE, and with the space among phonemes."""
    assert bpe.encode(" world")[0] in bpe.encoder.word_initial
    assert bpe.encode("收")[0] in bpe.encoder.word_initial
    assert bpe.encode("world")[0] not in bpe.encoder.word_initial
    assert phonemes.encoder.word_initial == {9}


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        (
            "wo↓mən ꭧʰu→ʨʰy↘ ʦou↓ʦou↓ pa.",
            [79, 62, 50, 106, 55, 9, 221, 158, 74, 157, 158, 85, 9, 155, 60, 75, 155, 60, 75, 9, 65, 28, 17],
        ),
        (
            "mˌI sˈɪstəɹ ɪz lˈɜɹnɪŋ",
            [50, 187, 9, 71, 179, 71, 72, 106, 139, 9, 138, 86, 9, 49, 177, 139, 55, 138, 89],
        ),
    ],
)
def test_phonemes_of_the_stored_voices(phonemes: Tokenizer, text: str, ids: list[int]) -> None:
    """The embedded voices' transcripts have the ids stored with them in spk2info.pt."""
    assert phonemes.encode(text) == ids
    assert phonemes.encode_trusted("<|endofprompt|>" + text) == [2, *ids]


def test_unknown_phonemes_are_approximated_or_reported(phonemes: Tokenizer) -> None:
    """An unknown stress or tone is split off, a known neighbour stands in, the rest is reported; never <|unk|>."""
    known = phonemes.specials["<|unk|>"]
    assert phonemes.encoder.encode("ˈj") == (phonemes.encode("ˈ") + phonemes.encode("j"), [])
    assert phonemes.encoder.encode("g，") == (phonemes.encode("ɡ,"), [])
    ids, unknown = phonemes.encoder.encode("a中b♥↗")
    assert ids == phonemes.encode("ab↗")
    assert unknown == ["中", "♥"]
    assert known not in ids


def test_unknown_special_token_is_a_text_error(bpe: Tokenizer) -> None:
    """Asking for a special token the checkpoint lacks names it."""
    with pytest.raises(TextError, match=r"found '\[yodel\]'"):
        bpe.special("[yodel]")


def test_tokenizer_json_gives_the_same_ids(bpe: Tokenizer, reference: Any, tmp_path: Path) -> None:
    """A directory with tokenizer.json instead of the three files loads to the same tokenizer."""
    directory = tmp_path / "CosyVoice-BlankEN"
    directory.mkdir()
    reference.backend_tokenizer.save(str(directory / "tokenizer.json"))
    loaded = Tokenizer.load(bpe_config(tmp_path))
    assert loaded.specials == bpe.specials
    assert [loaded.encode(text) for text in TEXTS] == [bpe.encode(text) for text in TEXTS]
    assert not set(loaded.encode("<|endofprompt|>[breath]")) & set(loaded.specials.values())


@pytest.mark.parametrize("name", ["vocab.json", "merges.txt", "tokenizer_config.json"])
def test_missing_bpe_file_is_named(tmp_path: Path, name: str) -> None:
    """Each of the three files is needed."""
    write_qwen_files(tmp_path / "CosyVoice-BlankEN")
    (tmp_path / "CosyVoice-BlankEN" / name).unlink()
    with pytest.raises(CheckpointError, match=f"{name}: expected .*, found no such file"):
        Tokenizer.load(bpe_config(tmp_path))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("vocab.json", "{", "vocab.json: expected a JSON object"),
        ("vocab.json", "[]", "vocab.json: expected a JSON object, found list"),
        ("vocab.json", '{"a": 1}', "vocab.json: expected the ids 0..0 once each"),
        ("vocab.json", '{"a": 0}', "vocab.json: expected a token for each of the 256 bytes"),
        ("merges.txt", "#version: 0.2\nxq zz\n", "merges.txt: expected two tokens of vocab.json .* found 'xq zz'"),
        ("merges.txt", "a b c\n", "merges.txt: expected two tokens"),
        ("tokenizer_config.json", '{"tokenizer_class": "LlamaTokenizer"}', "expected Qwen2Tokenizer, found 'Llama"),
        (
            "tokenizer_config.json",
            '{"added_tokens_decoder": {"7": {"content": "<|im_start|>"}}}',
            r"added token '<\|im_start\|>': expected id \d+, found id 7",
        ),
        (
            "tokenizer_config.json",
            '{"added_tokens_decoder": {"7": {"content": "<tool_call>"}}}',
            "added token '<tool_call>': expected a token of CosyVoice3, found id 7",
        ),
    ],
)
def test_mismatched_bpe_files_are_named(tmp_path: Path, name: str, content: str, message: str) -> None:
    """A file that does not fit raises CheckpointError with the file, what was expected and what was found."""
    write_qwen_files(tmp_path / "CosyVoice-BlankEN")
    (tmp_path / "CosyVoice-BlankEN" / name).write_text(content)
    with pytest.raises(CheckpointError, match=message):
        Tokenizer.load(bpe_config(tmp_path))


def test_end_of_prompt_id_is_checked(qwen_dir: Path) -> None:
    """A vocabulary whose <|endofprompt|> is not the configured one is refused."""
    with pytest.raises(CheckpointError, match=r"expected id 151646 for <\|endofprompt\|>, found \d+"):
        Tokenizer.load(bpe_config(qwen_dir, end_of_prompt_id=151646))


def test_vocabulary_larger_than_the_embedding_is_refused(qwen_dir: Path) -> None:
    """More ids than the talker has text rows cannot be looked up."""
    config = bpe_config(qwen_dir)
    config = dataclasses.replace(config, talker=dataclasses.replace(config.talker, text_rows=500))
    with pytest.raises(CheckpointError, match="expected at most 500 ids"):
        Tokenizer.load(config)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (None, "tokenizer.json: expected the phoneme vocabulary, found no such file"),
        ({"model": {"type": "BPE", "vocab": {" ": 9}}}, "expected a WordLevel model, found 'BPE'"),
        ({"model": {"type": "WordLevel", "vocab": {"a": 9}}}, "expected a space among the phonemes"),
        ({"added_tokens": []}, r"expected an added token <\|endofprompt\|>, found \[\]"),
        ({"added_tokens": None}, "expected a WordLevel model with a vocabulary"),
        ({"pre_tokenizer": {"pattern": {"Regex": "."}}}, "expected the Split pattern .* found '.'"),
    ],
)
def test_mismatched_phoneme_vocabulary_is_named(tmp_path: Path, change: dict[str, object] | None, message: str) -> None:
    """A missing or different tokenizer.json of a phoneme checkpoint raises CheckpointError."""
    if change is not None:
        raw = json.loads((NANO / "tokenizer.json").read_text(encoding="utf-8"))
        (tmp_path / "tokenizer.json").write_text(json.dumps(raw | change), encoding="utf-8")
    with pytest.raises(CheckpointError, match=message):
        Tokenizer.load(dataclasses.replace(ModelConfig.load(NANO), directory=tmp_path))


def test_styles_without_tags_are_refused() -> None:
    """A style whose tag the tokenizer has not could never be asked for: the error names it, and not the others."""
    nano = ModelConfig.load(NANO)
    styles = (StyleConfig("fast", "<|fast|>", ("fast",)), StyleConfig("odd", "<|odd|>", ("odd",)))
    with pytest.raises(CheckpointError, match=r"tokenizer\.json: expected the styles' tags .* none of \['<\|odd\|>'\]"):
        Tokenizer.load(dataclasses.replace(nano, serving=dataclasses.replace(nano.serving, styles=styles)))
    fine = dataclasses.replace(nano, serving=dataclasses.replace(nano.serving, styles=styles[:1]))
    assert Tokenizer.load(fine).special("<|fast|>") == 222


def test_unknown_kind_of_text_is_refused() -> None:
    """serving.json's `text` is "bpe" or "phonemes"."""
    config = dataclasses.replace(ModelConfig.load(NANO), serving=ServingConfig(text="runes"))
    with pytest.raises(CheckpointError, match='expected "bpe" or "phonemes", found \'runes\''):
        Tokenizer.load(config)
