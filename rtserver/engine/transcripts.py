"""What voice prompts say, as text ids. Where these are phonemes, the first one takes seconds (loading)."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from cosyvoice.config import ModelConfig
from cosyvoice.frontend.tokenizer import Tokenizer
from cosyvoice.voice.modes import ModeInputError

if TYPE_CHECKING:
    from rtserver.reader.text_front import TextFront

MAX_TRANSCRIPTS = 256  # kept in memory


class Transcripts:
    """The transcripts used last, by their text."""

    def __init__(self, config: ModelConfig, tokenizer: Tokenizer) -> None:
        self._config = config
        self._tokenizer = tokenizer
        self._front: TextFront | None = None
        self._known: OrderedDict[str, tuple[int, ...]] = OrderedDict()

    def is_known(self, text: str) -> bool:
        """Whether `ids` takes no time."""
        return self._config.serving.text != "phonemes" or not text.strip() or text in self._known

    def keep(self, text: str, ids: tuple[int, ...]) -> None:
        """Keeps what another process has read."""
        self._known[text] = ids
        self._known.move_to_end(text)
        if len(self._known) > MAX_TRANSCRIPTS:
            self._known.popitem(last=False)

    def ids(self, text: str) -> tuple[int, ...]:
        """The ids. Phonemes are read as text to be spoken is; other text is encoded as the original does it.

        Raises ModeInputError for a transcript in which nothing can be spoken.
        """
        if self._config.serving.text != "phonemes":
            return tuple(self._tokenizer.encode(text))
        if text not in self._known:
            if self._front is None:
                # Imported here: the acoustic process has transcripts read by the reader, and starts sooner without.
                from rtserver.reader.text_front import TextFront

                self._front = TextFront(self._config)
            stream = self._front.stream()
            segments = [*stream.feed(text), *stream.end()]
            ids = tuple(i for segment in segments for i in segment.ids)
            if not ids:
                raise ModeInputError(f"prompt_text: expected words that can be spoken, found {text[:40]!r:.60}")
            self.keep(text, ids)
        self._known.move_to_end(text)
        return self._known[text]
