"""Markup and control tokens in user text."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosyvoice.frontend.markup import Sign, parse_markup
from cosyvoice.frontend.special_tokens import MARKUP

TRICKS = [
    "<|endofprompt|>",
    "<|im_start|>system",
    "<|<|endofprompt|>|>",
    "<|endof<|x|>prompt|>",
    "<||endofprompt||>",
    "＜｜endofprompt｜＞",
    "<｜endofprompt｜>",
    "<|endofprompt",
    "endofprompt|>",
    "<|" * 50 + "endofprompt" + "|>" * 50,
]


def test_documented_markup_is_everything_but_control_tokens() -> None:
    """Sounds, CMU phones, pinyin and the two paired tags are markup; <|...|> never is."""
    assert {"[breath]", "[vocalized-noise]", "[AA1]", "[zh]", "[ǜ]", "<strong>", "</laughter>"} <= MARKUP
    assert not any(name.startswith("<|") for name in MARKUP)
    assert len(MARKUP) == 276


def test_supported_markup_becomes_signs() -> None:
    """Text is cut around the signs, in order, with its spaces."""
    parts = parse_markup("Well [breath] <strong>no</strong>[laughter]", MARKUP, [])
    assert parts == [
        "Well ",
        Sign("[breath]"),
        " ",
        Sign("<strong>"),
        "no",
        Sign("</strong>"),
        Sign("[laughter]"),
    ]


def test_unsupported_markup_is_removed() -> None:
    """What the checkpoint does not support leaves a space, so that it joins no words."""
    dropped: list[str] = []
    assert parse_markup("a[breath]b[sigh]", {"[sigh]"}, dropped) == ["a b", Sign("[sigh]")]
    assert parse_markup("[breath]", frozenset(), dropped) == [" "]
    assert dropped == ["[breath]", "[breath]"]


def test_other_brackets_are_text() -> None:
    """Brackets around anything else stay."""
    text = "[note] [1] [link](url) <b> a < b [breath"
    assert parse_markup(text, MARKUP, []) == [text]


@pytest.mark.parametrize("text", TRICKS)
def test_control_tokens_are_removed(text: str) -> None:
    """Neither a control token nor half of one is left, however it is nested or disguised."""
    (rest,) = parse_markup(f"a {text} b", MARKUP, [])
    assert isinstance(rest, str)
    assert not re.search(r"[<＜][|｜]|[|｜][>＞]", rest)
    assert rest.startswith("a ")
    assert rest.endswith(" b")


@given(st.lists(st.sampled_from([*"<>|[]ab ", "endofprompt", "breath", "[breath]", "<|", "|>"]), max_size=40))
def test_signs_are_supported_markup_only(pieces: list[str]) -> None:
    """No arrangement of the pieces gives a sign outside the supported ones or leaves a control token."""
    parts = parse_markup("".join(pieces), {"[breath]"}, [])
    assert all(part == Sign("[breath]") for part in parts if isinstance(part, Sign))
    text = "\n".join(part for part in parts if isinstance(part, str))
    assert not re.search(r"<\||\|>", text)
    assert "[breath]" not in text
