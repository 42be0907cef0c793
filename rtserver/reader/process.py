"""The reader process: text to ids, off the front's event loop. `python -m rtserver.reader.process`.

Normalisation and grapheme-to-phoneme conversion take milliseconds a clause and hold the interpreter's lock.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from cosyvoice.config import ModelConfig
from cosyvoice.frontend.language import LANGUAGES, Language
from cosyvoice.frontend.lexicon_file import read_lexicon
from cosyvoice.frontend.text_stream import TextStream
from rtserver.ipc.options import ReaderProcessOptions
from rtserver.ipc.process import Shutdown
from rtserver.ipc.reading import Boundary, Drop, OpenText, ReaderReady, Write
from rtserver.ipc.tracing import AskTrace
from rtserver.metrics.trace import Ring
from rtserver.processes.inbox import Inbox, Lost
from rtserver.processes.port import Port
from rtserver.processes.run_child import Tell, run_child
from rtserver.reader.text_front import TextFront
from rtserver.reader.text_queue import TextQueue


def load(options: ReaderProcessOptions, tell: Tell) -> TextFront:
    """Loads what the languages need."""
    entries = [] if options.lexicon is None else read_lexicon(Path(options.lexicon))
    front = TextFront(ModelConfig.load(Path(options.model)), entries)
    for name in options.languages:
        language = _language(name)
        if language is None:
            raise ValueError(f"languages: expected some of {', '.join(LANGUAGES)}, found {name!r}")
        tell(f"loading {language}")
        front.load(language)
    front.load_others()
    return front


def ready(front: TextFront, load_s: float) -> ReaderReady:
    """The message that the reader is loaded."""
    return ReaderReady(load_s)


def serve(front: TextFront, port: Port, inbox: Inbox) -> None:
    """Reads until told to stop, or until the parent is gone."""

    def open_stream(request: OpenText) -> TextStream:
        return front.stream(
            _language(request.language),
            default_language=_language(request.default_language) or "en",
            words=request.words,
            markup=request.markup,
            voice=request.voice,
            lexicon=request.lexicon,
        )

    queue, ring = TextQueue(open_stream), Ring()
    while True:
        while not (queue.busy and inbox.empty()):
            message = inbox.get()
            match message:
                case OpenText() | Write() | Boundary() | Drop():
                    queue.take(message)
                case AskTrace(number, utterance):
                    port.send(ring.traced("reader", utterance, number))
                case Shutdown() | Lost():
                    return
                case _:
                    pass
        (utterance, sent_s), start_s = queue.next, time.monotonic()
        inbox.work = utterance
        answer = queue.work()
        ring.note(utterance, "reader", sent_s, start_s, time.monotonic())
        if answer is not None:
            port.send(answer)


def _language(name: str | None) -> Language | None:
    """None for an unknown one. The reader then finds out the language of each clause."""
    return next((language for language in LANGUAGES if language == name), None)


if __name__ == "__main__":
    sys.exit(run_child("reader", ReaderProcessOptions, load, serve, ready))
