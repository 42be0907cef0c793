"""Whose server listens on a port of this machine."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import pytest
from aiohttp import web

from rtclient import ClientError
from rtserver.commands import speech_server, trace
from rtserver.commands.narrator import Narrator
from rtserver.commands.own_server import is_ours

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def row(address: str, user: int, state: str = "0A") -> str:
    return f"   0: {address} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000  {user}        0 1 1\n"


def ours(tmp_path: Path, *rows: str) -> bool:
    """As user 1000 sees port 8790, which is 2256 in the tables."""
    table = tmp_path / "tcp"
    table.write_text(HEAD + "".join(rows))
    return is_ours(8790, [table, tmp_path / "none"], 1000)


@pytest.mark.parametrize(
    "address", ["0100007F", "00000000", "00000000000000000000000000000000", "0000000000000000FFFF00000100007F"]
)
def test_a_listener_is_ours_if_it_belongs_to_us_or_to_root(address: str, tmp_path: Path) -> None:
    """Root can read a user's keys anyway. Any other user is a stranger."""
    assert ours(tmp_path, row(f"{address}:2256", 1000))
    assert ours(tmp_path, row(f"{address}:2256", 0))
    assert not ours(tmp_path, row(f"{address}:2256", 1001))


def test_one_stranger_among_the_listeners_is_enough(tmp_path: Path) -> None:
    """Any of them may get the connection. Other ports, addresses and connections do not count."""
    mine = row("0100007F:2256", 1000)
    assert not ours(tmp_path, mine, row("00000000:2256", 1001))
    others = row("0100007F:2257", 1001), row("0200007F:2256", 1001), row("0100007F:2256", 1001, "01")
    assert ours(tmp_path, mine, *others)
    assert not ours(tmp_path, *others)


def test_the_tables_of_this_machine_are_read() -> None:
    """A listener of this process is ours; a port without one is nobody's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert is_ours(port)
        assert not is_ours(port, user=os.geteuid() + 1) or os.geteuid() == 0
    assert not is_ours(port)


@pytest.mark.parametrize("is_own", [True, False])
def test_only_the_users_own_server_is_used_unasked(is_own: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stranger on the port gets neither key nor text, although it says that it is a server with our model."""
    seen: list[str] = []

    async def health(request: web.Request) -> web.Response:
        seen.extend(f"{name}: {value}" for name, value in request.headers.items())
        return web.json_response({"model": "nano"})

    async def scenario() -> tuple[str | None, str]:
        stranger = web.Application()
        stranger.add_routes([web.get("/v1/health", health)])
        runner = web.AppRunner(stranger, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        monkeypatch.setattr(speech_server, "DEFAULT_PORT", port)
        monkeypatch.setattr(speech_server, "is_ours", lambda asked: is_own and asked == port)
        found = await speech_server.running_server("nano", Narrator())
        await runner.cleanup()
        return found, f"http://127.0.0.1:{port}"

    found, url = asyncio.run(scenario())
    assert found == (url if is_own else None)
    assert seen and not any("SECRET" in header for header in seen)


def test_a_trace_is_asked_of_the_users_own_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stranger on the port is not asked, unless it is named."""
    monkeypatch.setattr(trace, "is_ours", lambda port: False)
    with pytest.raises(ClientError, match="name one with --server"):
        asyncio.run(trace.trace(trace.TraceOptions("u_x", api_key="SECRET")))
