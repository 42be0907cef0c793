"""The spans of a text that are open at a place of it: stretches with a rate or a language of their own. Pure."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from cosyvoice.frontend.directives import Directive
from cosyvoice.frontend.language import LANGUAGES, Language


@dataclass(frozen=True)
class _Span:
    """A span that has begun."""

    name: str
    # As in `Directive`. None: as around it.
    rate: float | None
    language: Language | None


@dataclass(frozen=True)
class Spans:
    """The open spans, the innermost last."""

    spans: tuple[_Span, ...] = ()

    @property
    def rate(self) -> float:
        """How fast the text here is spoken, as a factor: that of the innermost span with one."""
        return next((span.rate for span in reversed(self.spans) if span.rate is not None), 1.0)

    @property
    def language(self) -> Language | None:
        """The language of the text here. None: no span says so."""
        return next((span.language for span in reversed(self.spans) if span.language is not None), None)

    def crossed(self, directive: Directive) -> Spans:
        """The spans after the tag that begins or ends one. An end without a beginning changes nothing."""
        if directive.span == "begins":
            return Spans((*self.spans, _Span(directive.name, directive.rate, language_of(directive.language))))
        for at in range(len(self.spans) - 1, -1, -1):
            if self.spans[at].name == directive.name:
                return Spans(self.spans[:at] + self.spans[at + 1 :])
        return self


def language_of(written: str) -> Language | None:
    """The language of a tag such as en-US. None: it is none that can be read."""
    primary = written.partition("-")[0].partition("_")[0]
    return next((language for language in LANGUAGES if language == primary), None)


def language_warning(written: str, languages: Set[Language]) -> str:
    """Why the language of a tag is not heeded. Empty: it is one of `languages`."""
    if language_of(written) in languages:
        return ""
    known = ", ".join(language for language in LANGUAGES if language in languages)
    return f"expected one of {known}, found {written[:20] or 'none'}: the language is not heeded"
