"""The preparer process: voice recordings to prompts in the cache. `python -m rtserver.engine.preparer`.

Encoding a recording takes seconds of a whole core; here it disturbs nobody, at the lowest priority.
"""

from __future__ import annotations

import argparse
import queue
import signal
import sys
from pathlib import Path

from cosyvoice.config import ModelConfig
from cosyvoice.errors import CosyVoiceError, VoiceError
from cosyvoice.voice.prompt import PromptEncoder
from cosyvoice.voice.store import VoiceStore
from rtserver.engine.port import Inbox, Port, inherited_socket
from rtserver.messages.engine import Fatal, Prepare, Prepared


def main() -> int:
    """Answers requests until the parent hangs up; the process's exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fd", type=int, required=True, help="connected socket to the parent")
    parser.add_argument("--model", type=Path, required=True, help="model directory")
    parser.add_argument("--cache-dir", type=Path, default=None)
    args = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the front's business: it asks us to stop
    inbox: Inbox = queue.SimpleQueue()
    port = Port(inherited_socket(args.fd), inbox)
    try:
        store = VoiceStore(ModelConfig.load(args.model), PromptEncoder(args.model), cache_dir=args.cache_dir)
    except (CosyVoiceError, OSError, RuntimeError) as error:
        port.send(Fatal("preparer", f"{type(error).__name__}: {error}"))
        port.close()
        return 1
    while isinstance(message := inbox.get(), Prepare):
        port.send(prepare(store, message.voice))
    port.close()
    return 0


def prepare(store: VoiceStore, name: str) -> Prepared:
    """Puts a voice into the cache; the answer."""
    try:
        store.prepare(store.resolve(name))
    except VoiceError as error:
        return Prepared(name, "unknown_voice", str(error))
    except (CosyVoiceError, OSError, RuntimeError) as error:
        return Prepared(name, "internal", f"voice {name}: {error}")
    return Prepared(name)


if __name__ == "__main__":
    sys.exit(main())
