"""The main function of every child process. The parent's side is `Child`, the command line `Program`."""

from __future__ import annotations

import argparse
import gc
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import msgspec

from cosyvoice.errors import CosyVoiceError
from rtserver.ipc.message import Message
from rtserver.ipc.process import Fatal, Progress
from rtserver.processes.inbox import Inbox
from rtserver.processes.port import Port

Options = TypeVar("Options", bound=msgspec.Struct)
Loaded = TypeVar("Loaded")
# Tells the parent what a starting process is doing.
Tell = Callable[[str], None]

# What `load` may raise for a file, a device or an option that does not fit. Anything else is a fault of the program:
# Python prints it, and the parent reads it there.
_LOAD_ERRORS = (CosyVoiceError, ImportError, OSError, RuntimeError, ValueError)

# A process ignores SIGTERM, so it must end by itself when its parent is gone. While it loads, it ends at once. When it
# serves, it has this many seconds.
END_GRACE_S = 10.0


def run_child(
    name: str,
    options_type: type[Options],
    load: Callable[[Options, Tell], Loaded],
    serve: Callable[[Loaded, Port, Inbox], None],
    ready: Callable[[Loaded, float], Message] | None = None,
    *,
    end_grace_s: float = END_GRACE_S,
) -> int:
    """Loads, says that it is ready, serves. Returns the exit status.

    options_type: what the program's options are checked against.
    load: its errors are sent as Fatal, and the exit status is 1.
    serve: returns when the parent sends Shutdown or is gone.
    ready: makes the message that ends the start, from what was loaded and the seconds that took. None for a parent
    that waits for no such message.
    end_grace_s: how long a process that serves may go on when its parent is gone. Then it is ended.
    """
    sock, options = inherited_start(name)
    inbox = Inbox()
    port = Port(sock, inbox)
    patient = threading.Event()
    threading.Thread(target=_end, args=(port, patient, end_grace_s), name="end", daemon=True).start()
    try:
        start_s = time.perf_counter()
        try:
            gc.disable()  # what is loaded stays: looking through it for garbage is a tenth of the start
            loaded = load(msgspec.json.decode(options, type=options_type), lambda text: port.send(Progress(name, text)))
        except _LOAD_ERRORS as error:
            port.send(Fatal(name, f"{type(error).__name__}: {error}"))
            return 1
        finally:
            gc.enable()
        patient.set()
        if ready is not None:
            port.send(Progress(name, "ready"))
            port.send(ready(loaded, time.perf_counter() - start_s))
        serve(loaded, port, inbox)
        return 0
    finally:
        patient.set()  # this thread may have something to print yet
        port.close()


def _end(port: Port, patient: threading.Event, grace_s: float) -> None:
    """Ends this process when its parent is gone and the working thread does not notice."""
    port.wait_for_end()
    if patient.is_set():
        time.sleep(grace_s)
    os._exit(1)


def inherited_start(name: str) -> tuple[socket.socket, str]:
    """What the parent passed: a connected socket, and the options as JSON.

    From now on Ctrl-C and SIGTERM are ignored. A terminal and systemd send them to the parent too. It needs its
    children until open utterances are finished; then it closes their sockets, and that ends them.
    """
    parser = argparse.ArgumentParser(description=f"The {name} process. The server starts it.", allow_abbrev=False)
    parser.add_argument("--fd", type=int, required=True, help="connected socket to the parent")
    parser.add_argument("--options", default="{}", help="a JSON object")
    arguments = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    return socket.socket(fileno=arguments.fd), arguments.options
