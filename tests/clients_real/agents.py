"""What the tests of whole agents share: how many words were heard, by the sound that was played."""

from __future__ import annotations

# The tone engine speaks 0.06 s a letter, and words follow each other without a pause.
LETTER_MS = 60
TEXT = " ".join(
    ["one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"] * 3
    + ["and that is all of it."]
)


def words_heard(text: str, played_ms: float) -> int:
    """How many words of the text have begun in so much of the tone engine's sound."""
    heard, at_ms = 0, 0.0
    for word in text.split():
        if at_ms >= played_ms:
            break
        heard += 1
        at_ms += LETTER_MS * len(word)
    return heard


def is_what_was_heard(said: str, text: str, played_ms: float) -> bool:
    """Whether `said` is a beginning of the text, and ends with the word that was heard last, or one beside it."""
    words = said.split()
    return words == text.split()[: len(words)] and abs(len(words) - words_heard(text, played_ms)) <= 1
