"""The times of characters."""

from __future__ import annotations

from rtserver.messages.wire import Mark
from rtserver.wire.elevenlabs.alignment import Alignment, TimedCharacters


def word(text: str, offset: int, start_ms: int, end_ms: int) -> Mark:
    return Mark("c", text, offset, start_ms, end_ms, False)


def test_a_word_shares_its_time_among_its_characters() -> None:
    """Evenly and without gaps; the space before a word lasts until it begins."""
    alignment = Alignment(restarts=False)
    alignment.add(word("one", 2, 10, 110))
    alignment.add(word("at", 6, 150, 190))
    assert alignment.take() == TimedCharacters(
        ["o", "n", "e", " ", "a", "t"], [10, 43, 76, 110, 150, 170], [43, 76, 110, 150, 170, 190]
    )
    assert alignment.take() is None


def test_times_go_on_from_piece_to_piece() -> None:
    """And the characters of all pieces are those of the text; between Han characters there is no space."""
    alignment = Alignment(restarts=False)
    alignment.add(word("你", 0, 0, 100))
    first = alignment.take()
    for one in (word("好。", 1, 100, 300), word("yes", 4, 300, 600)):
        alignment.add(one)
    second = alignment.take()
    assert first is not None and second is not None
    assert "".join(first.characters + second.characters) == "你好。 yes"
    assert second.starts_ms == [100, 200, 300, 300, 400, 500]


def test_pieces_that_restart() -> None:
    """Each counts from the end of the one before and ends with a space, so that its last word is taken."""
    alignment = Alignment(restarts=True)
    alignment.add(word("one", 0, 60, 120))
    assert alignment.take() == TimedCharacters(["o", "n", "e", " "], [60, 80, 100, 120], [80, 100, 120, 120])
    alignment.add(word("at", 4, 150, 190))
    assert alignment.take() == TimedCharacters(["a", "t", " "], [30, 50, 70], [50, 70, 70])


def test_the_two_forms() -> None:
    """Sockets tell durations in ms, HTTP tells ends in seconds."""
    timed = TimedCharacters(["a", "t"], [30, 50], [50, 70])
    assert timed.on_a_socket() == {"chars": ["a", "t"], "charStartTimesMs": [30, 50], "charDurationsMs": [20, 20]}
    assert timed.over_http() == {
        "characters": ["a", "t"],
        "character_start_times_seconds": [0.03, 0.05],
        "character_end_times_seconds": [0.05, 0.07],
    }
