"""What the working thread's looks for messages tell."""

from __future__ import annotations

import queue
import socket
import threading

import pytest

from rtserver.ipc.engine import Cancel
from rtserver.ipc.framing import FrameReader, encode
from rtserver.ipc.process import AskPulse, Pulse
from rtserver.processes.inbox import Inbox
from rtserver.processes.port import Port


def test_each_look_is_a_turn() -> None:
    """Before the first one the process loads; what it works on is what it said last."""
    inbox = Inbox()
    assert inbox.pulse(1) == Pulse(1, 0, False)
    assert inbox.empty()
    with pytest.raises(queue.Empty):
        inbox.get_nowait()
    inbox.put(Cancel("a"))
    assert not inbox.empty() and inbox.get() == Cancel("a")
    inbox.work = "a hop of u_1"
    assert inbox.pulse(2) == Pulse(2, 4, False, "a hop of u_1")


def test_a_port_answers_while_the_working_thread_waits_or_works() -> None:
    """The question does not reach the working thread, which may be busy; the answer says which of them it is."""
    ours, theirs = socket.socketpair()
    inbox, frames = Inbox(), FrameReader()
    port = Port(ours, inbox)

    def ask(number: int) -> Pulse:
        theirs.sendall(encode(AskPulse(number)))
        (pulse,) = frames.feed(theirs.recv(1000))
        assert isinstance(pulse, Pulse)
        return pulse

    with theirs:
        theirs.settimeout(10)
        assert ask(1) == Pulse(1, 0, False)
        thread = threading.Thread(target=inbox.get)
        thread.start()
        while ask(2) != Pulse(2, 1, True):  # the thread begins
            pass
        theirs.sendall(encode(Cancel("a")))
        thread.join(10)
        assert ask(3) == Pulse(3, 1, False)
        port.close()
