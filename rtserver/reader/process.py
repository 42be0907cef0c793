"""The reader process: text to ids, off the front's event loop. `python -m rtserver.reader.process`.

Normalisation and grapheme-to-phoneme conversion take milliseconds a clause and hold the interpreter's lock.
"""

from __future__ import annotations

import argparse
import queue
import signal
import sys
import time
from pathlib import Path
from typing import get_args

from cosyvoice.config import ModelConfig
from cosyvoice.errors import CosyVoiceError
from cosyvoice.frontend.language import Language
from cosyvoice.frontend.text_stream import TextStream
from rtserver.ipc.process import Fatal, Progress, Shutdown
from rtserver.ipc.reading import Boundary, Drop, OpenText, ReaderReady, Write
from rtserver.processes.port import Inbox, Lost, Port, inherited_socket
from rtserver.reader.text_front import TextFront
from rtserver.reader.texts import Desk

LANGUAGES: tuple[Language, ...] = get_args(Language)


def main() -> int:
    """Loads, says so, serves; the process's exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fd", type=int, required=True, help="connected socket to the parent")
    parser.add_argument("--model", type=Path, required=True, help="model directory")
    parser.add_argument("--language", action="append", default=[], choices=LANGUAGES, help="load it before being ready")
    args = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the front's business: it asks us to stop
    inbox: Inbox = queue.SimpleQueue()
    port = Port(inherited_socket(args.fd), inbox)
    start_s = time.perf_counter()
    try:
        front = TextFront(ModelConfig.load(args.model))
        for language in args.language:
            port.send(Progress("reader", f"loading {language}"))
            front.load(language)
    except (CosyVoiceError, ImportError, OSError, RuntimeError) as error:
        port.send(Fatal("reader", f"{type(error).__name__}: {error}"))
        port.close()
        return 1
    port.send(ReaderReady(time.perf_counter() - start_s))
    serve(front, port, inbox)
    port.close()
    return 0


def serve(front: TextFront, port: Port, inbox: Inbox) -> None:
    """Reads until told to stop, or until the parent is gone."""

    def open_stream(request: OpenText) -> TextStream:
        return front.stream(
            _language(request.language),
            default_language=_language(request.default_language) or "en",
            words=request.words,
        )

    desk = Desk(open_stream)
    while True:
        while not (desk.busy and inbox.empty()):
            message = inbox.get()
            match message:
                case OpenText() | Write() | Boundary() | Drop():
                    desk.take(message)
                case Shutdown() | Lost():
                    return
                case _:
                    pass
        answer = desk.work()
        if answer is not None:
            port.send(answer)


def _language(name: str | None) -> Language | None:
    """None for one that there is not: it is found out then."""
    return next((language for language in LANGUAGES if language == name), None)


if __name__ == "__main__":
    sys.exit(main())
