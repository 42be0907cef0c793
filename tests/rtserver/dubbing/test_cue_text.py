"""What is said of a cue."""

from __future__ import annotations

import pytest

from rtserver.dubbing.cue_text import spoken_texts
from rtserver.dubbing.cues import CueText


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["<i>Hello</i> <font color='red'>you</font>"], ["Hello you"]),
        ([r"{\an8}{\pos(1,2)}Hello\Nyou\hthere"], ["Hello", "you there"]),
        (["AT&amp;T &lt;3&nbsp;x"], ["AT&T <3 x"]),
        (["\u202aHello\u202c\u200e  \u3000you"], ["Hello you"]),
        (["<ruby>漢<rt>kan</rt>字<rt>ji</rt></ruby>です"], ["漢字です"]),
        (['Wait <break time="1s"/> now <lang xml:lang="de">ja</lang>'],) * 2,
        (["-5 degrees"], ["-5 degrees"]),
        (["", "  ", "Yes."], ["Yes."]),
    ],
)
def test_tags_of_subtitles_are_left_out(lines: list[str], said: list[str]) -> None:
    """Tags, positions, entities and characters without a sound; the server's own markup stays."""
    assert [text.text for text in spoken_texts(lines)] == said


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["[door slams]"], []),
        (["(a dog", "barks)"], []),
        (["♪ la la", "la ♪"], []),
        (["♪ la la ♪", "He sings."], ["He sings."]),
        (["（笑声）", "【音乐】", "好。"], ["好。"]),
        (["- [sighs]", "- (No.) Yes. (No.)"], ["(No.) Yes. (No.)"]),
        (["[pause] Well"], ["[pause] Well"]),
        (["<i>[thunder]</i>"], []),
    ],
)
def test_descriptions_of_sounds_are_not_spoken(lines: list[str], said: list[str]) -> None:
    """A line that stands in brackets as a whole, or that is sung."""
    assert [text.text for text in spoken_texts(lines)] == said


def test_who_begins_to_speak_is_known() -> None:
    """From dashes and `<v>` tags."""
    assert spoken_texts(["- Hi.", "– Oh,", "hello."]) == (
        CueText("Hi.", None, True),
        CueText("Oh,", None, True),
        CueText("hello.", None, False),
    )
    assert spoken_texts(["<v Anna>Hi <b>you</b>", "there</v> <v Tom &amp; Co>Oh.</v>", "So."]) == (
        CueText("Hi you", "Anna", True),
        CueText("there", "Anna", False),
        CueText("Oh.", "Tom & Co", True),
        CueText("So.", "Tom & Co", False),
    )
