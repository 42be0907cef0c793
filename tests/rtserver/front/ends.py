"""How the contexts of one socket end, each with its socket still open on the server's side."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tests.rtserver.http.http_client import TEXT
from tests.rtserver.serving import UNREADABLE, Served
from tests.rtserver.wire.wire_client import WireClient

LONG = "word " * 200


async def done(client: WireClient, _server: Served) -> None:
    await client.send("start", context="a", text=TEXT, end=True)
    await client.until("done")


async def cancelled(client: WireClient, _server: Served) -> None:
    await client.send("start", context="a", text=LONG, end=True)
    await client.until("audio")
    await client.send("cancel", context="a")
    await client.until("cancelled")


async def refused(client: WireClient, _server: Served) -> None:
    await client.send("start", context="a", text=LONG, end=True, voice="nobody")
    assert (await client.until("error"))["code"] == "unknown_voice"


async def reader_failed(client: WireClient, _server: Served) -> None:
    await client.send("start", context="a", text=f"one {UNREADABLE} two", end=True)
    await client.until("error")


async def bad_text(client: WireClient, _server: Served) -> None:
    await client.send("start", context="a", text="one ")
    await client.send("text", context="a", text="\0")
    assert (await client.until("error"))["code"] == "bad_message"


async def hung_up(client: WireClient, server: Served) -> None:
    await client.send("start", context="a", text=LONG, end=True, **{"class": "batch"})
    await client.send("start", context="b", text="some ")
    await client.until("audio")
    assert server.app.accounts.held["contexts"] == 2 and server.app.accounts.held["batch"] == 1
    connection = client.ws._response.connection
    assert connection is not None and connection.transport is not None
    connection.transport.abort()


async def engine_lost(client: WireClient, server: Served) -> None:
    await client.send("start", context="a", text="some ")
    await client.until("audio")
    await server.engine.close()
    await client.send("start", context="b", text="some ")
    await client.until("error")


async def stopped(client: WireClient, server: Served) -> None:
    await client.send("start", context="a", text=LONG, end=True)
    await client.until("audio")
    server.app.tell_shutdown(deadline=True)
    await client.until("error")


End = Callable[[WireClient, Served], Awaitable[None]]

ENDS: tuple[End, ...] = (done, cancelled, refused, reader_failed, bad_text, hung_up, engine_lost, stopped)
