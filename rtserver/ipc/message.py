"""All messages between processes. Their form on a socket is `framing.py`."""

from __future__ import annotations

from typing import Protocol

from rtserver.ipc.engine import (
    Audio,
    Cancel,
    Done,
    End,
    Failed,
    Feed,
    Flush,
    Flushed,
    Heard,
    Hold,
    Hungry,
    Load,
    Open,
    Ready,
    Rested,
    Started,
)
from rtserver.ipc.preparing import Dismiss, Prepare, Prepared
from rtserver.ipc.process import AskPulse, Count, Counted, Fatal, Progress, Pulse, Shutdown
from rtserver.ipc.reading import Boundary, Drop, OpenText, Read, ReaderReady, Write
from rtserver.ipc.talker import Refused, SampleQuantum, StopQuantum, TalkerReady, Tokens
from rtserver.ipc.tracing import AskTrace, Traced

Message = (
    Open | Feed | Flush | End | Cancel | Heard | Hold | Count | Counted | AskTrace | Traced | Shutdown | Load
    | AskPulse | Pulse | Progress | Ready | Started | Audio | Hungry | Rested | Flushed | Done | Failed
    | SampleQuantum | StopQuantum | TalkerReady | Tokens | Refused | Fatal
    | Prepare | Prepared | Dismiss | OpenText | Write | Boundary | Drop | ReaderReady | Read
)  # fmt: skip


class Sender(Protocol):
    """The way to another process, as `Port` is."""

    def send(self, message: Message) -> None:
        """Sends one message. If nobody is there any more, it is lost."""
