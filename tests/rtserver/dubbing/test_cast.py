"""Who says what."""

from __future__ import annotations

import pytest

from rtserver.dubbing.cast import Cast
from rtserver.dubbing.cue_text import spoken_texts
from rtserver.dubbing.cues import Cue, DubbingError, Part

MAP = """
default = "narrator"
[speakers]
Anna = "female"
"Tom & Co" = "male"
[cues]
2 = "bass"
3-5 = "tenor"
"""


def cue(*lines: str, number: int = 1, start_s: float = 1.0, end_s: float = 3.0) -> Cue:
    return Cue(number, number * 10, start_s, end_s, spoken_texts(lines))


def said(cast: Cast, *cues: Cue, voices: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    return [(part.voice, part.text) for part in cast.parts(cues, voices)]


def test_a_name_before_a_colon_speaks() -> None:
    """If the map or the server knows it, in any case of letters. The colon may be a Chinese one."""
    cast = Cast.read(MAP, "map.toml", "default")
    assert said(cast, cue("ANNA: Hi.")) == [("female", "Hi.")]
    assert said(cast, cue("中文女： 你好。"), voices=("中文女",)) == [("中文女", "你好。")]
    assert said(cast, cue("Note: this is 10:30.")) == [("narrator", "Note: this is 10:30.")]
    assert said(cast, cue("Anna:")) == [("narrator", "Anna:")]


def test_a_tag_a_number_and_the_default_count_after_it() -> None:
    """In this order."""
    cast = Cast.read(MAP, "map.toml", "default")
    assert said(cast, cue("<v Tom &amp; Co>Hi.", number=2)) == [("male", "Hi.")]
    assert said(cast, cue("<v Eve>Hi.", number=2)) == [("bass", "Hi.")]
    numbers = [cue("Hi.", number=number, start_s=number, end_s=number + 1) for number in range(1, 7)]
    assert [voice for voice, _ in said(cast, *numbers)] == ["narrator", "bass", *["tenor"] * 3, "narrator"]
    assert said(Cast("one"), cue("Hi.")) == [("one", "Hi.")]
    assert Cast.read("", "map.toml", "one").default == "one"


def test_a_cue_with_several_voices_is_split() -> None:
    """Each gets time in proportion to its text; lines of one voice are one text."""
    cast = Cast.read(MAP, "map.toml", "default")
    parts = cast.parts([cue("Anna: Hello", "you", "Tom & Co: Oh.")])
    assert parts == [
        Part(1, 10, 1.0, 2.5, "female", "Hello you"),
        Part(1, 10, 2.5, 3.0, "male", "Oh."),
    ]


def test_a_dash_ends_what_the_one_before_says() -> None:
    """A line without a dash goes on with the voice before it."""
    cast = Cast.read(MAP, "map.toml", "default")
    assert said(cast, cue("- Anna: Hi.", "Well.", "- Oh.")) == [("female", "Hi. Well."), ("narrator", "Oh.")]


def test_parts_come_in_the_order_of_their_slots() -> None:
    """Whatever the order in the file; a cue without text has none."""
    cues = [cue("B", number=1, start_s=5, end_s=6), cue("[x]", number=2), cue("A", number=3, start_s=1, end_s=2)]
    assert [part.text for part in Cast().parts(cues)] == ["A", "B"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = x", r"map.toml: expected TOML, found: .*"),
        ("speaker = {}", "map.toml: expected default, speakers and cues, found 'speaker'"),
        ("default = 1", "map.toml: default: expected the name of a voice, found 1"),
        ("speakers = 1", "map.toml: speakers: expected a table, found 1"),
        ('[speakers]\nA = ""', "map.toml: speakers: A: expected the name of a voice, found ''"),
        ('[cues]\nx = "a"', "map.toml: cues: expected numbers like 7 or 7-12, found 'x'"),
        ('[cues]\n9-7 = "a"', "map.toml: cues: expected numbers like 7 or 7-12, found '9-7'"),
    ],
)
def test_a_wrong_map_is_an_error(text: str, message: str) -> None:
    """With its name, what was expected and what was found."""
    with pytest.raises(DubbingError, match=message):
        Cast.read(text, "map.toml", "default")
