"""Where a stream of text is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosyvoice.frontend.boundary import LONGEST_ADDRESS, LONGEST_LINK, LONGEST_NUMBERS, TextBoundary, find_boundary

WIDTH = 80


def clauses(text: str, max_width: int = WIDTH) -> list[str]:
    """A whole text, cut at every boundary."""
    found = []
    while (boundary := find_boundary(text, final=True, max_width=max_width)) is not None:
        found.append(text[: boundary.end].strip())
        text = text[boundary.end :]
    return [clause for clause in found if clause]


@pytest.mark.parametrize(
    "text",
    [
        "pi is 3.14 or so",
        "10,000 people",
        "Dr. Smith and Mrs. Jones",
        "in the U.S. army",
        "J. R. Tolkien",
        "at 3 p.m. sharp",
        "e.g. this",
        "No. 5",
        "1. First",
        "May 5, 2024",
        "at 12:30 and 3: 45",
        "see https://example.com/a,b?x=1;y!z:8080/index.html now",
        "mail a.b@c.org please",
        "v2.0.1",
        "Node.js",
        "$1,250.50",
        "1，000",
        "价格3.5元",
        "下午3：45",
        "他说hello world",
    ],
)
def test_never_cut(text: str) -> None:
    """Numbers, dates, times, abbreviations, initials and addresses stay whole."""
    assert clauses(text) == [text]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, world. How are you?", ["Hello,", "world.", "How are you?"]),
        ("It is 5. Then we go.", ["It is 5.", "Then we go."]),
        ('He said "Stop!" and left.', ['He said "Stop!"', "and left."]),
        ("(Really?) Yes; no: maybe", ["(Really?)", "Yes;", "no:", "maybe"]),
        ("Well... I see", ["Well...", "I see"]),
        ("a word—another", ["a word—", "another"]),
        ("你好，世界！“走吧。”然后呢？？", ["你好，", "世界！", "“走吧。”", "然后呢？？"]),
        ("苹果、香蕉；橘子……好", ["苹果、", "香蕉；", "橘子……", "好"]),
        ("你好,世界.再见", ["你好,", "世界.", "再见"]),
        ("一行\n两行\n\n三行", ["一行", "两行", "三行"]),
    ],
)
def test_cut_after_marks(text: str, expected: list[str]) -> None:
    """Clauses end after their marks and closing quotation marks; lines are clauses."""
    assert clauses(text) == expected


@pytest.mark.parametrize(
    ("text", "boundary"),
    [
        ("Hi there. A", TextBoundary(9, "sentence")),
        ("Hi there, a", TextBoundary(9, "clause")),
        ("Hi there… a", TextBoundary(9, "clause")),
        ('"Hi!" a', TextBoundary(5, "sentence")),
        ("Hi\na", TextBoundary(3, "clause", ",")),
        ("Hi\n \na", TextBoundary(5, "sentence", ".")),
    ],
)
def test_kinds(text: str, boundary: TextBoundary) -> None:
    """Full stops, question and exclamation marks and empty lines end sentences; a line without a mark gets one."""
    assert find_boundary(text, final=False, max_width=WIDTH) == boundary


@pytest.mark.parametrize(
    "text", ["Hello", "Hello.", "Hello?", 'Hello."', "3.", "in 5, ", "Dr. ", "你好，", "好！", "a\n", "x "]
)
def test_waits_until_certain(text: str) -> None:
    """A mark at the end of the text may still be part of a number, an address or a longer run of marks."""
    assert find_boundary(text, final=False, max_width=WIDTH) is None


def test_final_text_is_cut_at_its_end() -> None:
    """When no more text comes the rest is a sentence."""
    assert find_boundary("Hello", final=True, max_width=WIDTH) == TextBoundary(5, "sentence", ".")
    assert find_boundary("", final=True, max_width=WIDTH) is None


def test_long_text_is_cut_at_a_word() -> None:
    """Without marks, words are collected up to the width limit, Han characters counting three."""
    assert clauses("one two three four five six", max_width=11) == ["one two", "three four", "five six"]
    assert clauses("今天我们去看电影", max_width=10) == ["今天我", "们去看", "电影"]


def test_long_text_is_not_cut_beside_numbers() -> None:
    """A word boundary next to a number, a currency sign or an abbreviation is none."""
    assert clauses("we paid 5 million dollars", max_width=10) == ["we", "paid 5 million", "dollars"]
    assert clauses("today and now Dr. Smith comes", max_width=18) == ["today and now", "Dr. Smith comes"]


def test_mandarin_words_stay_whole() -> None:
    """With a word segmentation long Mandarin text is cut between its words."""

    def pairs(text: str) -> list[str]:
        return [text[i : i + 2] for i in range(0, len(text), 2)]

    boundary = find_boundary("今天我们去看电影", final=True, max_width=10, cut_words=pairs)
    assert boundary == TextBoundary(2, "word")


@pytest.mark.parametrize("text", ["x" * 1000, "1" * 1000, "!" * 1000, "," * 1000, "\n" * 1000, " " * 1000])
def test_endless_text_is_cut(text: str) -> None:
    """What never offers a place to cut is cut after a bounded number of characters."""
    boundary = find_boundary(text, final=False, max_width=WIDTH)
    assert boundary is not None
    assert boundary.end == LONGEST_NUMBERS


MIXED = st.lists(
    st.sampled_from(
        [
            *'ab5中国.,!?，。：… \n"”)-$',
            "Dr.",
            "3.14",
            "10,000",
            "May 5, 2024",
            "https://a.b/c?d=1",
            "我们",
            "...",
            " word",
        ]
    ),
    max_size=60,
).map("".join)


@given(MIXED, st.integers(0, 200), st.sampled_from([5, 12, 80]))
def test_more_text_does_not_change_a_decision(text: str, length: int, max_width: int) -> None:
    """A boundary found in the beginning of a text is the one found in the whole."""
    early = find_boundary(text[:length], final=False, max_width=max_width)
    if early is not None:
        assert early == find_boundary(text, final=False, max_width=max_width)


@given(MIXED)
def test_decimals_are_never_cut(text: str) -> None:
    """No cut falls between two digits or a digit and its decimal part."""
    boundary = find_boundary(text, final=False, max_width=WIDTH)
    if boundary is not None and boundary.end < min(len(text), LONGEST_LINK):
        before, after = text[: boundary.end], text[boundary.end :]
        assert not (before[-1].isdigit() and after[0].isdigit())
        assert not (before[-2:-1].isdigit() and before[-1] in ".,：:" and after[0].isdigit())


@pytest.mark.parametrize(
    "text", ["12, 13, " * 60, "5 " * 200, "3、" * 200, "3，" * 200, "$5 " * 100], ids=lambda text: text[:4]
)
def test_many_numbers_do_not_wait_for_a_better_place(text: str) -> None:
    """They are cut after a space or a pause mark, so soon that nobody waits long; no number is cut."""
    found = clauses(text)
    assert len(found) > 1 and all(len(clause) <= LONGEST_NUMBERS for clause in found)
    number = text.split(" ")[0].split("、")[0].split("，")[0]
    assert all(clause.startswith((number, "13")) for clause in found)
    assert "".join("".join(found).split()) == "".join(text.split())


def test_a_long_address_among_numbers_is_not_cut() -> None:
    """The cut is before it, and it may be longer than a list of numbers."""
    address = "https://example.com/" + "a1/" * 60 + "b"
    assert clauses(f"1 2 3 {address} 4") == ["1 2 3", f"{address} 4"]


@pytest.mark.parametrize(
    ("text", "longest"),
    [("https://a.example/x?y=1" * 40, LONGEST_ADDRESS), ("[" + "a" * 79 + "](" + "b" * 600, LONGEST_LINK)],
)
def test_what_may_be_longer_is_cut_too(text: str, longest: int) -> None:
    """An address without end, and a link without end."""
    boundary = find_boundary(text, final=False, max_width=120)
    assert boundary is not None and boundary.end <= longest
