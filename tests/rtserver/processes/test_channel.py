"""The front's end of a socket to an engine process, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable

import pytest

from rtserver.ipc.engine import Cancel, Feed
from rtserver.ipc.framing import encode
from rtserver.ipc.message import Message
from rtserver.ipc.process import Shutdown
from rtserver.ipc.reading import Segment
from rtserver.processes.channel import MAX_UNSENT_BYTES, Channel
from tests.rtserver.serving import eventually

NONSENSE = b"\x01\x00\x00\x00\xc1"
LONG = Feed("a", [Segment([7] * 1000, 0, True)])


@contextlib.asynccontextmanager
async def connected(
    on_message: Callable[[Message], None], max_unsent_bytes: int = MAX_UNSENT_BYTES
) -> AsyncIterator[tuple[Channel, socket.socket]]:
    """A channel and the peer's blocking end, which has a timeout."""
    ours, theirs = socket.socketpair()
    theirs.settimeout(10)
    with theirs:
        channel = await Channel.connect(ours, on_message, max_unsent_bytes)
        yield channel, theirs
        channel.abort()
        await eventually(lambda: ours.fileno() == -1)


async def lost(channel: Channel) -> str:
    """Why it is lost, once it is."""
    return await asyncio.wait_for(asyncio.shield(channel.lost), 10)


def received(peer: socket.socket) -> bytes:
    """All that the peer can still read, up to the end."""
    data = b""
    while piece := peer.recv(1 << 16):
        data += piece
    return data


def test_messages_arrive_in_order_however_they_are_cut() -> None:
    """Messages come in order, whether bytes come one by one or all at once; a half message waits for its rest."""

    async def scenario() -> None:
        came: list[Message] = []
        async with connected(came.append) as (channel, peer):
            for byte in encode(Cancel("a")):
                peer.sendall(bytes([byte]))
                await asyncio.sleep(0)
            await eventually(lambda: came == [Cancel("a")])
            peer.sendall(encode(Cancel("b")) + encode(Shutdown()) + encode(LONG)[:-1])
            await eventually(lambda: len(came) == 3)
            peer.sendall(encode(LONG)[-1:])
            await eventually(lambda: len(came) == 4)
            assert came == [Cancel("a"), Cancel("b"), Shutdown(), LONG]
            assert not channel.lost.done()

    asyncio.run(scenario())


def test_what_is_sent_reaches_the_peer() -> None:
    """Each message is one frame, in order, and nothing waits behind it."""

    async def scenario() -> None:
        async with connected(lambda message: None) as (channel, peer):
            channel.send(Cancel("a"))
            channel.send(LONG)
            expected = encode(Cancel("a")) + encode(LONG)
            assert peer.recv(1 << 16, socket.MSG_WAITALL)[: len(expected)] == expected
            assert channel.unsent_bytes == 0

    asyncio.run(scenario())


def test_the_end_of_the_peer_comes_behind_its_messages() -> None:
    """What the peer sent before it closed arrives, then the channel is lost and says so."""

    async def scenario() -> None:
        came: list[Message] = []
        async with connected(came.append) as (channel, peer):
            peer.sendall(encode(Cancel("a")) + encode(Cancel("b")))
            peer.close()
            assert await lost(channel) == "it closed its socket"
            assert came == [Cancel("a"), Cancel("b")]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (NONSENSE, "it sent no message: expected a msgpack map"),
        (b"\xff\xff\xff\xff", "it sent no message: expected at most 67108864 bytes, found 4294967295"),
    ],
)
def test_nonsense_loses_the_peer(data: bytes, reason: str) -> None:
    """A peer that sends no message of ours is lost at once, with the reason, and sees the end."""

    async def scenario() -> None:
        came: list[Message] = []
        async with connected(came.append) as (channel, peer):
            peer.sendall(data)
            assert (await lost(channel)).startswith(reason)
            assert received(peer) == b""
            assert came == []

    asyncio.run(scenario())


def test_into_a_lost_channel_sending_is_nothing() -> None:
    """Messages to a peer that is gone go nowhere and are no error."""

    async def scenario() -> None:
        async with connected(lambda message: None) as (channel, peer):
            peer.close()
            await lost(channel)
            channel.send(LONG)
            assert channel.unsent_bytes == 0 and channel.lost.result() == "it closed its socket"

    asyncio.run(scenario())


def test_a_peer_that_reads_nothing_is_lost() -> None:
    """What may wait for the peer is bounded: one byte beyond the bound loses it, and nothing waits any more."""

    async def scenario() -> None:
        async with connected(lambda message: None, 100_000) as (channel, peer):
            sent_bytes = 0
            while not channel.lost.done():
                assert channel.unsent_bytes <= 100_000
                channel.send(LONG)
                sent_bytes += len(encode(LONG))
            assert sent_bytes > 100_000
            found = int((await lost(channel)).removeprefix("it reads nothing: ").removesuffix(" bytes wait for it"))
            assert 100_000 < found <= 100_000 + len(encode(LONG))
            await eventually(lambda: channel.unsent_bytes == 0)
            assert len(received(peer)) == sent_bytes - found

    asyncio.run(scenario())


def test_a_peer_that_reads_late_is_not_lost() -> None:
    """Within the bound everything waits for the peer and arrives in the end."""

    async def scenario() -> None:
        async with connected(lambda message: None) as (channel, peer):
            peer.setblocking(False)
            sent_bytes = 0
            while channel.unsent_bytes < 500_000:
                channel.send(LONG)
                sent_bytes += len(encode(LONG))
            read_bytes = 0
            while read_bytes < sent_bytes:
                read_bytes += len(await asyncio.wait_for(asyncio.get_running_loop().sock_recv(peer, 1 << 18), 10))
            assert read_bytes == sent_bytes and channel.unsent_bytes == 0 and not channel.lost.done()

    asyncio.run(scenario())


def test_closing_lets_out_what_was_sent() -> None:
    """`close` ends the socket behind everything that waits; `abort` ends it now."""

    async def read_all(end: Callable[[Channel], None]) -> tuple[int, int]:
        """How much was sent, and how much of it the peer could read."""
        async with connected(lambda message: None) as (channel, peer):
            peer.setblocking(False)
            sent_bytes = read_bytes = 0
            while channel.unsent_bytes < 500_000:
                channel.send(LONG)
                sent_bytes += len(encode(LONG))
            end(channel)
            assert await lost(channel) == "closed here"
            channel.send(LONG)  # goes nowhere
            while data := await asyncio.wait_for(asyncio.get_running_loop().sock_recv(peer, 1 << 18), 10):
                read_bytes += len(data)
            channel.abort()  # behind the end it is nothing
            return sent_bytes, read_bytes

    sent_bytes, read_bytes = asyncio.run(read_all(Channel.close))
    assert read_bytes == sent_bytes
    sent_bytes, read_bytes = asyncio.run(read_all(Channel.abort))
    assert read_bytes <= sent_bytes - 500_000


@pytest.mark.parametrize("end", [Channel.close, Channel.abort])
def test_no_message_comes_after_the_end(end: Callable[[Channel], None]) -> None:
    """A channel that is closed by what a message led to gives none of those that came with it."""

    async def scenario() -> None:
        came: list[Message] = []

        def take(message: Message) -> None:
            came.append(message)
            end(channel)

        async with connected(take) as (channel, peer):
            peer.sendall(encode(Cancel("a")) + encode(Cancel("b")))
            assert await lost(channel) == "closed here"
            assert received(peer) == b""
            assert came == [Cancel("a")]

    asyncio.run(scenario())
