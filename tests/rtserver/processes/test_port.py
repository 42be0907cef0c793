"""Message ports over real sockets."""

import socket

from rtserver.ipc.engine import Cancel
from rtserver.ipc.framing import encode
from rtserver.ipc.process import Shutdown
from rtserver.processes.inbox import Inbox, Lost
from rtserver.processes.port import Port


def connected() -> tuple[Port, socket.socket, Inbox]:
    ours, theirs = socket.socketpair()
    inbox = Inbox()
    return Port(ours, inbox), theirs, inbox


def test_messages_arrive_in_order_and_the_end_is_told() -> None:
    """Messages come in order, and the peer's end comes last."""
    port, peer, inbox = connected()
    peer.sendall(encode(Cancel("a")) + encode(Shutdown()))
    peer.close()
    assert [inbox.get(timeout=5) for _ in range(3)] == [Cancel("a"), Shutdown(), Lost("closed")]
    port.close()


def test_sending_reaches_the_peer() -> None:
    """What is sent is one frame."""
    port, peer, _ = connected()
    port.send(Cancel("a"))
    assert peer.recv(1000) == encode(Cancel("a"))
    port.close()
    assert peer.recv(1000) == b""
    peer.close()


def test_a_dead_peer_is_told_by_the_reader_only() -> None:
    """Sending to a peer that is gone raises nothing."""
    port, peer, inbox = connected()
    peer.close()
    for _ in range(3):
        port.send(Cancel("a"))
    assert isinstance(inbox.get(timeout=5), Lost)
    port.close()


def test_nonsense_loses_the_peer() -> None:
    """A peer that sends no message of ours is taken for lost, with the reason."""
    port, peer, inbox = connected()
    peer.sendall(b"\x01\x00\x00\x00\xc1")
    lost = inbox.get(timeout=5)
    assert isinstance(lost, Lost) and "expected a msgpack map" in lost.reason
    port.close()
    peer.close()
