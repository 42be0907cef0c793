"""The stage `styles`: speaks some of the corpus once more, in each style, by transforming the teachers' sound.

A text has one style, so that styles have many texts; held-out texts have all of them. What has been chosen stays so
when the corpus grows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from cosyvoice.nano.corpus.manner import MANNERS
from cosyvoice.nano.corpus.rows import Utterance
from cosyvoice.nano.corpus.stage import Corpus
from cosyvoice.nano.corpus.teachers import SAMPLE_RATE
from cosyvoice.nano.corpus.voices import NAMED
from cosyvoice.nano.progress import Progress

_SHORTEST_S, _LONGEST_S = 1.0, 6.0
_HELD_OUT_TEXTS = 4  # of each voice


def styled(spoken: Iterable[Utterance], rows: int) -> Iterator[tuple[Utterance, str]]:
    """Plain utterances of the named voices and the style each is to have, at most `rows` of a voice and style."""
    named = {voice.teacher for voice in NAMED}
    chosen: Counter[tuple[str, str]] = Counter()
    styles = tuple(MANNERS)
    for one in spoken:
        if one.voice not in named or not _SHORTEST_S <= one.seconds <= _LONGEST_S:
            continue
        for style in styles if one.held_out else styles[one.text_id % len(styles) :][:1]:
            kind = (one.voice, "held out" if one.held_out else style)
            if chosen[kind] < (_HELD_OUT_TEXTS * len(styles) if one.held_out else rows):
                chosen[kind] += 1
                yield one, style


def run(work: Path, rows: int) -> None:
    """Makes what is missing."""
    corpus = Corpus(work)
    made = {one.key for one in corpus.styled()}
    missing = [(one, style) for one, style in styled(corpus.utterances(), rows)]
    missing = [(one, style) for one, style in missing if replace(one, style=style).key not in made]
    progress = Progress("styles", sum(one.seconds for one, _ in missing) / 3600, "h")
    for one, style in missing:
        wave = MANNERS[style](corpus.wave(one))
        spoken = replace(one, style=style, seconds=round(len(wave) / SAMPLE_RATE, 3))
        corpus.keep(spoken, wave)
        corpus.note(spoken)
        progress.add(one.seconds / 3600)
    progress.say(f"{len(made) + len(missing)} utterances")
