"""English normalisation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosyvoice.frontend.english import normalize_english
from cosyvoice.frontend.english_numbers import cardinal, spell_digits
from cosyvoice.frontend.normalize import Normalizer


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # what grammars often read wrong
        ("It costs $1,250.50 today.", "It costs one thousand two hundred and fifty dollars and fifty cents today."),
        ("$1,250", "one thousand two hundred and fifty dollars"),
        ("$12.50 or £1.01", "twelve dollars and fifty cents or one pound and one penny"),
        ("$0.99 €1", "ninety-nine cents one euro"),
        ("-$5", "minus five dollars"),
        ("1,250 apples", "one thousand two hundred and fifty apples"),
        ("1,250.5 km", "one thousand two hundred and fifty point five kilometers"),
        ("3500 steps in 1000 days", "three thousand five hundred steps in one thousand days"),
        ("in 2000 and 2005", "in two thousand and two thousand and five"),
        (
            "9-5, 50-50, pages 10–20, $3-$5",
            "nine to five, fifty fifty, pages ten to twenty, three dollars to five dollars",
        ),
        ("the 1990s and the '80s", "the nineteen nineties and the eighties"),
        ("Call 555-1234.", "Call five five five, one two three four."),
        ("v2.0.1", "v two point zero point one"),
        ("open 24/7", "open twenty four seven"),
        ("#1 and No. 5 #fun", "number one and number five fun"),
        ("~5 5¢ <5 +1", "about five five cents less than five plus one"),
        ('he said: "I have 5."', 'he said: "I have five."'),
        ("a\\b 5", "a backslash b five"),
        ("MOM has 5, MoM up 2%.", "MOM has five, month over month up two percent."),
        ("The Sun has 5 spots", "The Sun has five spots"),
        ("a | b_c", "a b c"),
        # ordinary readings
        ("$5 million, $3.5 billion", "five million dollars, three point five billion dollars"),
        ("On 2024-05-01 at 3:45 pm", "On the first of may twenty twenty four at three forty five PM"),
        ("In 1999, 5.5% of 10,000", "In nineteen ninety nine, five point five percent of ten thousand"),
        ("Dr. Smith's 21st", "doctor Smith's twenty first"),
        ("Sun, May 5", "Sunday, May fifth"),
        ("(555) 123-4567", "five five five, one two three, four five six seven"),
        ("1-800-555-1234", "one, eight hundred, five five five, one two three four"),
        ("a@b.com 20°C 100km/h", "a at b dot com twenty degrees Celsius one hundred kilometers per hour"),
    ],
)
def test_readings(normalizer: Normalizer, text: str, expected: str) -> None:
    """Numbers, money, dates and signs are read as people read them."""
    assert normalizer.normalize(text, "en") == expected


def test_plain_text_is_untouched() -> None:
    """Text without numbers, signs or short forms keeps its characters ("Sun" is no day)."""
    text = 'The Sun was low, he said: "Mon dieu!" — and left'
    assert normalize_english(text) == text


def test_cardinals() -> None:
    """Numbers of up to 15 digits are read as numbers, longer ones digit by digit."""
    assert cardinal("1250") == "one thousand two hundred and fifty"
    assert cardinal("1250", comma=",") == "one thousand, two hundred and fifty"
    assert cardinal("0071") == "seventy-one"
    assert cardinal("100000000000001") == "one hundred trillion and one"
    assert (
        cardinal("1234567890123456") == "one two three four five six seven eight nine zero one two three four five six"
    )
    assert spell_digits("It cost 1250") == "It cost one thousand, two hundred and fifty"


@given(
    st.text(alphabet=st.one_of(st.sampled_from("0123456789$£%.,-/#+ ab\"'"), st.characters(codec="utf-8")), max_size=40)
)
def test_any_text_is_read(normalizer: Normalizer, text: str) -> None:
    """No text raises, and no decimal digit is left."""
    assert not any(map(str.isdecimal, normalizer.normalize(text, "en")))
