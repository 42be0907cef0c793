"""Reading clauses."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosyvoice.frontend.boundary import ClosingMark
from cosyvoice.frontend.reader import Reader
from cosyvoice.frontend.text_stream import Piece
from cosyvoice.frontend.tokenizer import Tokenizer


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("It costs $5, OK?", "It costs five dollars, OK?"),
        ("我用 iPhone 15 Pro 拍照", "我用iPhone十五Pro拍照"),
        ("I paid 250 for 饺子 at 3号楼 today", "I paid two hundred and fifty for 饺子 at 三号楼 today"),
        ("<|endofprompt|>Hi <|im_start|>", "Hi "),
        ("Well [breath] 5 [AA1] <strong>no</strong>", "Well [breath] five [AA1] <strong>no</strong>"),
        ("Привет!", "Привет!"),
    ],
)
def test_bpe_text(bpe_reader: Reader, byte_tokenizer: Tokenizer, text: str, spoken: str) -> None:
    """A released checkpoint gets the normalised text; markup in it becomes special ids, control tokens are gone."""
    reading = bpe_reader(Piece(text))
    assert reading.text.strip() == spoken.strip()
    assert list(reading.ids) == byte_tokenizer.encode_trusted(reading.text)
    assert not set(reading.ids) & byte_tokenizer.control_ids


def test_spaced_bpe_text(bpe_reader: Reader) -> None:
    """A word after a space keeps it, as the tokenizer's words begin with their space."""
    assert bpe_reader(Piece("world.", after_text=True, spaced=True)).text == " world."
    assert bpe_reader(Piece("world.", after_text=True)).text == "world."


def test_phonemes(nano_reader: Reader, nano_tokenizer: Tokenizer) -> None:
    """The embedded voice gets phonemes; unsupported markup and control tokens are not read out."""
    reading = nano_reader(Piece("[breath] Hello<|endofprompt|> there [AA1]"))
    assert reading.text == "həlˈO ðˈɛɹ"
    assert list(reading.ids) == nano_tokenizer.encode(reading.text)
    assert reading.lead_ids == 0


def test_a_reading_knows_the_full_stop_of_its_language(
    bpe_reader: Reader, byte_tokenizer: Tokenizer, nano_reader: Reader, nano_tokenizer: Tokenizer
) -> None:
    """Phonemes have one for all languages."""
    for text, mark in (("hello there", "."), ("你好", "。")):
        assert bpe_reader(Piece(text)).full_stop_ids == tuple(byte_tokenizer.encode(mark))
        assert nano_reader(Piece(text)).full_stop_ids == tuple(nano_tokenizer.encode("."))


def test_clauses_are_joined_by_a_space(nano_reader: Reader, nano_tokenizer: Tokenizer) -> None:
    """Phonemes after other text begin with a space, which a sequence that starts here can drop."""
    first, later = nano_reader(Piece("你好。")), nano_reader(Piece("你好。", after_text=True))
    assert later.lead_ids == 1
    assert list(later.ids) == [*nano_tokenizer.encode(" "), *first.ids]


@pytest.mark.parametrize(
    ("text", "closing", "spoken"),
    [
        ("Hello", ".", "Hello."),
        ("Hello!", ".", "Hello!"),
        ("Hello,", ".", "Hello."),
        ("Hello 🙂", ".", "Hello."),
        ("Item", ",", "Item,"),
        ("Item", "", "Item"),
        ("你好", ".", "你好。"),
        ("你好，", ".", "你好。"),
        ("第一行", ",", "第一行，"),
        ("Hello [breath]", ".", "Hello [breath]"),
    ],
)
def test_closing(bpe_reader: Reader, text: str, closing: ClosingMark, spoken: str) -> None:
    """A text without a mark at its end gets the one asked for, in its language."""
    assert bpe_reader(Piece(text, closing=closing)).text == spoken


@pytest.mark.parametrize(
    "text", ["", " ", "...", "🙂", "\x00", "\ud83d", "\u200b", "<|endofprompt|>", "！？", "——", "♥"]
)
def test_silent_text(bpe_reader: Reader, nano_reader: Reader, text: str) -> None:
    """A text that speaks to nothing has no ids and leaves the language as it was."""
    for reader in (bpe_reader, nano_reader):
        reading = reader(Piece(text, language_before="zh", closing="."))
        assert (reading.ids, reading.language) == ((), "zh")


def test_numbers_alone_follow_the_language_before(bpe_reader: Reader) -> None:
    """A number is read in the language of the text before it, or in the forced one."""
    assert bpe_reader(Piece("15", language_before="zh")).text == "十五"
    assert bpe_reader(Piece("15", language_before="en")).text == "fifteen"
    assert bpe_reader(Piece("15", language_before="en", language="zh")).text == "十五"


def test_unknown_characters_are_reported(nano_reader: Reader) -> None:
    """What the embedded voice cannot speak is named, even if nothing else is left."""
    reading = nano_reader(Piece("안녕"))
    assert (reading.ids, reading.unknown) == ((), ("안", "녕"))


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("Hi ☃ there 🙂🙂, ok.", [(3, "☃"), (11, "🙂🙂")]),
        ("👩‍👩‍👧 Hi.", [(0, "👩‍👩‍👧")]),
        ("Say 안녕 하세요 now.", [(4, "안녕 하세요")]),
        ("A <b>жук</b> &#1078;.", [(5, "жук"), (13, "&#1078;")]),
        ("[breath] Oh <|endofprompt|> no.", [(0, "[breath]"), (12, "<|endofprompt|>")]),
        ("So <wibble>what</wibble> <b>now</b>?", [(3, "<wibble>"), (15, "</wibble>")]),
        ("It is 5 °C, “really” – ½ off…", []),
    ],
)
def test_left_out_characters_have_their_places(nano_reader: Reader, text: str, places: list[tuple[int, str]]) -> None:
    """Each run of them is found in the text as it was written."""
    assert [(found.offset, found.text) for found in nano_reader(Piece(text)).unspoken] == places


def test_a_released_checkpoint_speaks_other_scripts(bpe_reader: Reader) -> None:
    """Its ids have them untouched; only pictures are left out."""
    reading = bpe_reader(Piece("Größe, señor, はい, 안녕, да 🙂"))
    assert reading.text == "Größe, señor, はい, 안녕, да"
    assert [(found.offset, found.text) for found in reading.unspoken] == [(25, "🙂")]


@settings(max_examples=100)
@given(st.text(max_size=30))
def test_places_point_into_the_text(bpe_reader: Reader, nano_reader: Reader, text: str) -> None:
    """What is told to be left out stands at its place."""
    for reader in (bpe_reader, nano_reader):
        for found in reader(Piece(text)).unspoken:
            assert text[found.offset : found.offset + len(found.text)] == found.text != ""


CONTROL = [
    "<|endofprompt|>",
    "<|im_start|>",
    "<|endoftext|>",
    "<|",
    "|>",
    "[breath]",
    "＜｜",
    "｜＞",
    "endofprompt",
    "[",
    "]",
    "(/",
    "/)",
]


@settings(max_examples=150)
@given(
    st.lists(
        st.one_of(st.sampled_from(CONTROL), st.text(alphabet=st.characters(exclude_categories=()), max_size=8)),
        max_size=8,
    ),
    st.booleans(),
)
def test_no_text_gives_a_control_id(
    bpe_reader: Reader,
    nano_reader: Reader,
    byte_tokenizer: Tokenizer,
    nano_tokenizer: Tokenizer,
    parts: list[str],
    after_text: bool,
) -> None:
    """Whatever user text holds, its ids are ordinary ones and supported markup."""
    piece = Piece("".join(parts), after_text=after_text, spaced=after_text, closing=".")
    ids = set(bpe_reader(piece).ids)
    assert not ids & byte_tokenizer.control_ids
    assert ids <= set(range(256)) | {byte_tokenizer.special(name) for name in byte_tokenizer.markup}
    assert not set(nano_reader(piece).ids) & set(nano_tokenizer.specials.values())


def test_loading_is_timed(nano_reader: Reader) -> None:
    """load reports the seconds it took; what is loaded stays."""
    nano_reader.load("en")
    assert 0 <= nano_reader.load("en") < 0.1
