"""Reading a clause: cleaning, markup, normalisation, phonemes if the checkpoint needs them, text ids."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace

from cosyvoice.config import ModelConfig
from cosyvoice.frontend.boundary import ClosingMark
from cosyvoice.frontend.characters import clean, is_silent
from cosyvoice.frontend.chinese import close_chinese
from cosyvoice.frontend.guess import foreign_letters, language_among
from cosyvoice.frontend.language import BOTH, LANGUAGES, Language, language_runs
from cosyvoice.frontend.lexicon import Lexicon
from cosyvoice.frontend.lexicon_entry import LexiconEntry
from cosyvoice.frontend.markup import Sign, parse_markup
from cosyvoice.frontend.normalize import Normalizer
from cosyvoice.frontend.phoneme_element import phoneme_elements
from cosyvoice.frontend.phonemes import Phonemizer, joined
from cosyvoice.frontend.plain import plain
from cosyvoice.frontend.pronunciation import cmu_ipa, cmu_signs, pinyin_ipa, pinyin_signs
from cosyvoice.frontend.text_stream import Piece, Reading
from cosyvoice.frontend.tokenizer import Tokenizer
from cosyvoice.frontend.unspoken import Unspoken, unspoken_in
from cosyvoice.frontend.words import word_spans

_WESTERN: dict[ClosingMark, str] = {"": "", ",": ",", ".": "."}
_CLOSING: dict[Language, dict[ClosingMark, str]] = {
    "zh": {"": "", ",": "，", ".": "。"},
    "ja": {"": "", ",": "、", ".": "。"},
}


# A text that ends in one of these, inside brackets or not, lacks its mark.
_CLOSERS, _SPOKEN_LAST = ")]）】」』》\"'”’", frozenset("%％‰℃℉°$€£¥￥₩+²³¢")
_EMPHASIS = re.compile(r"<(/?)emphasis(?:\s[^<>\n]{0,100})?>", re.IGNORECASE)


class Reader:
    """Reads clauses for one checkpoint. It is the `read` of a `TextStream`.

    What a language needs is loaded with its first text, or before by `load`. Reading a clause takes milliseconds, so do
    not call it on an event loop.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        phonemizer: Phonemizer | None = None,
        languages: Iterable[Language] = LANGUAGES,
    ) -> None:
        """phonemizer: for a checkpoint whose text ids are phonemes. None: the normalised text itself is tokenized.

        languages: those that the checkpoint speaks; with a phonemizer only Mandarin and English of them count.
        """
        self._tokenizer = tokenizer
        self._phonemizer = phonemizer
        self.languages = frozenset(languages) & (BOTH if phonemizer is not None else frozenset(LANGUAGES))
        self._foreign = foreign_letters(self.languages)
        self._normalizer = Normalizer()
        self._full_stops: dict[Language, tuple[int, ...]] = {}

    @classmethod
    def for_model(cls, config: ModelConfig, tokenizer: Tokenizer) -> Reader:
        """The reader that `config`'s checkpoint was trained with."""
        phonemizer = Phonemizer() if config.serving.text == "phonemes" else None
        known = [language for language in LANGUAGES if language in config.serving.languages]
        return cls(tokenizer, phonemizer, known)

    def load(self, language: Language) -> float:
        """Loads what `language` needs, once. Returns the seconds it took."""
        start = time.perf_counter()
        if self._phonemizer is None:
            self._normalizer.load(language)
        else:
            self._phonemizer.load(language)
        return time.perf_counter() - start

    def __call__(self, piece: Piece) -> Reading:
        """The reading of a piece of user text. No text makes it raise, and no text gives a control id."""
        unknown: list[str] = []
        problems: list[Unspoken] = []
        reading = self._read(piece, unknown, problems)
        reading = replace(reading, full_stop_ids=self._full_stop(reading.language))
        left_out = (*unspoken_in(piece.text, unknown), *problems)
        return replace(reading, unknown=tuple(unknown), unspoken=left_out) if unknown or left_out else reading

    def _full_stop(self, language: Language) -> tuple[int, ...]:
        """Ids of a full stop."""
        if language not in self._full_stops:
            mark = "." if self._phonemizer is not None else _CLOSING.get(language, _WESTERN)["."]
            self._full_stops[language] = tuple(self._tokenizer.encoder.encode(mark)[0])
        return self._full_stops[language]

    def _read(self, piece: Piece, unknown: list[str], problems: list[Unspoken]) -> Reading:
        """The reading without what cannot be spoken, which is added to `unknown`. `problems` gets the tags that are not
        obeyed as written."""
        parts: list[str | Sign] = [clean(piece.text)]
        if piece.markup:
            parts = self._parts(piece.text, unknown, problems)
        visible = " ".join(part for part in parts if isinstance(part, str))
        language = piece.language or language_among(visible, piece.language_before, self.languages)
        if is_silent(visible) and not any(isinstance(part, Sign) for part in parts):
            return Reading("", (), language if visible else piece.language_before)
        if parts and isinstance(parts[-1], str):
            parts[-1] = _closed(parts[-1], language, piece.closing)
        elif piece.closing and piece.text.endswith("</phoneme>"):
            parts.append(_CLOSING.get(language, _WESTERN)[piece.closing])
        if piece.lexicon:
            parts = [one for part in parts for one in self._looked_up(part, piece.lexicon, language)]
        if self._phonemizer is not None:
            return self._in_phonemes(parts, self._phonemizer, piece, language, unknown)

        ids: list[int] = []
        spoken = ""
        for part in parts:
            if isinstance(part, Sign):
                spoken += part.name
                ids.append(self._tokenizer.special(part.name))
                continue
            text = self._in_words(part, language, unknown, piece.before)
            if piece.spaced and not spoken:
                text = f" {text}"
            part_ids, strange = self._tokenizer.encoder.encode(text)
            spoken += text
            ids += part_ids
            unknown += strange
        return Reading(spoken, tuple(ids), language)

    def _parts(self, text: str, unknown: list[str], problems: list[Unspoken]) -> list[str | Sign]:
        """The stretches of a text without its writing marks, and its signs."""
        parts: list[str | Sign] = []
        at = 0
        for element in phoneme_elements(text):
            signs = None if element.entry is None else self.phones(element.entry)
            if signs is None:  # its tags are passed over
                problem = element.problem or "the model cannot speak these phones: its text is read"
                problems.append(Unspoken(element.start, element.text, problem))
                continue
            parts += [*self._stretch(text, at, element.start, unknown), *signs]
            at = element.start + len(element.text)
        return parts + self._stretch(text, at, len(text), unknown)

    def _stretch(self, text: str, start: int, end: int, unknown: list[str]) -> list[str | Sign]:
        """A stretch beside elements. A space between it and an element stays."""
        marked = self._emphasised(text[start:end])
        cleaned = clean(plain(marked, unknown))
        before = " " if start and marked[:1].isspace() else ""
        after = " " if end < len(text) and marked[-1:].isspace() else ""
        return parse_markup(f"{before}{cleaned}{after}" if cleaned else "", self._tokenizer.markup, unknown)

    def _emphasised(self, text: str) -> str:
        """SSML's emphasis as the model's own, if it has that."""
        return _EMPHASIS.sub(r"<\1strong>", text) if "<strong>" in self._tokenizer.markup else text

    def _looked_up(self, part: str | Sign, lexicon: Lexicon, language: Language) -> Iterator[str | Sign]:
        """A stretch with what the lexicon has for its words."""
        if isinstance(part, Sign):
            yield part
            return
        for one in lexicon.parts(part, language):
            if isinstance(one, str):
                yield one
            else:
                signs = self.phones(one)
                yield from [one.word] if signs is None else signs

    def phones(self, entry: LexiconEntry) -> list[Sign] | None:
        """The signs of an entry with phones; one sign of all phonemes if the checkpoint gets phonemes. None: it cannot
        speak them, so the word is read as it is written."""
        if self._phonemizer is not None:
            ipa = cmu_ipa(entry.cmu) if entry.cmu else pinyin_ipa(entry.pinyin)
            return None if ipa is None else [Sign(ipa)]
        names = cmu_signs(entry.cmu) if entry.cmu else pinyin_signs(entry.pinyin)
        return None if names is None or not self._tokenizer.markup.issuperset(names) else [*map(Sign, names)]

    def _in_phonemes(
        self, parts: list[str | Sign], phonemizer: Phonemizer, piece: Piece, language: Language, unknown: list[str]
    ) -> Reading:
        """For a checkpoint whose text ids are phonemes. Its signs are phonemes too."""
        stretches: list[str] = []
        for part in parts:
            if isinstance(part, Sign):
                stretches.append(part.name)
                continue
            phonemes, strange = phonemizer.phonemes(part, language, piece.before)
            stretches.append(phonemes)
            unknown += strange
        spoken = joined(stretches)
        ids, strange = self._tokenizer.encoder.encode(spoken)
        unknown += strange
        return self._joined(spoken, ids, language, piece.after_text, self._words(piece.text, spoken))

    def _in_words(self, text: str, language: Language, unknown: list[str], before: str) -> str:
        """A stretch between signs. Spaces at its ends are kept in English."""
        words = ""
        if not text.isascii():
            unknown += self._foreign.findall(text)
            text = self._foreign.sub("", text)
        for run_language, run in language_runs(text, language):
            normal = self._normalizer.normalize(run, run_language, before)
            if run_language not in ("zh", "ja"):
                normal = " " * run.startswith(" ") + normal + " " * run.endswith(" ")
            words += normal
        return words.replace("  ", " ")

    def _words(self, text: str, phonemes: str) -> tuple[tuple[int, int], ...]:
        """For each word its first id, and the one after its last."""
        counted: dict[int, int] = {}
        spans = word_spans(text, phonemes)
        before, ids = 0, 0
        for place in sorted({place for span in spans for place in span}):
            ids += len(self._tokenizer.encode(phonemes[before:place]))
            before, counted[place] = place, ids
        return tuple((counted[start], counted[end]) for start, end in spans)

    def _joined(
        self,
        phonemes: str,
        ids: list[int],
        language: Language,
        after_text: bool,
        words: tuple[tuple[int, int], ...],
    ) -> Reading:
        """The reading, with a space before it when text comes before this clause."""
        if is_silent(phonemes):
            return Reading("", (), language)
        if after_text:
            phonemes, ids = f" {phonemes}", self._tokenizer.encode(" ") + ids
            words = tuple((first + 1, end + 1) for first, end in words)
        return Reading(phonemes, tuple(ids), language, int(after_text), words=words)


def _closed(text: str, language: Language, closing: ClosingMark) -> str:
    """`text` with the closing mark that is missing at its end. A full stop replaces a comma."""
    text = text.rstrip()
    if closing == ".":
        text = close_chinese(text) if language == "zh" else text.rstrip(",;: ")
    last = text.rstrip(_CLOSERS)[-1:]
    return text + _CLOSING.get(language, _WESTERN)[closing] if last.isalnum() or last in _SPOKEN_LAST else text
