"""Clients that ask whether to send their body (`Expect: 100-continue`) and hang up."""

from __future__ import annotations

import asyncio
import logging

import pytest

from tests.rtserver.serving import eventually, served

REQUEST = b"POST /v1/tts HTTP/1.1\r\nHost: 127.0.0.1\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n"


def test_who_hangs_up_before_the_answer_fills_no_log(caplog: pytest.LogCaptureFixture) -> None:
    """The answer cannot be written any more. That is no fault of the server."""

    async def scenario() -> None:
        async with served() as server:
            port = int(server.url.rsplit(":", 1)[1])
            for _ in range(20):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(REQUEST)
                writer.transport.abort()
            await asyncio.sleep(0.05)
            await eventually(lambda: not server.app.accounts.holders)

    with caplog.at_level(logging.WARNING):
        asyncio.run(scenario())
    assert caplog.records == []
