"""Whoever is refused waits for the answer in turn with all who are, at every entrance."""

from __future__ import annotations

import asyncio

import pytest

from tests.rtserver.http.http_client import TEXT, ask
from tests.rtserver.serving import served

JSON = {"text": TEXT}


@pytest.mark.parametrize(
    ("method", "path", "key", "status"),
    [
        ("GET", "/v1/voices", "wrong", 401),
        ("GET", "/metrics", "right", 401),
        ("GET", "/nowhere", "wrong", 401),
        ("POST", "/v1/tts", "right", 429),
        ("POST", "/v1/audio/speech", "right", 429),
        ("POST", "/v1/read", "right", 429),
        ("GET", "/v1/speech/realtime", "wrong", 101),
        ("GET", "/v1/speech/realtime", "right", 101),
    ],
)
def test_a_refusal_is_paced(method: str, path: str, key: str, status: int) -> None:
    """A wrong key, a scope that a key has not, and a server on which too much is held already. Some sockets are opened,
    to be told why they close."""
    paced = 0

    async def pace() -> None:
        nonlocal paced
        paced += 1

    async def scenario() -> None:
        async with served(api_keys=["right"], max_sockets=1) as server:
            (known,) = [caller for _, caller in server.app.access._callers]
            server.app.pace_refusal = pace  # type: ignore[method-assign]
            headers = {"X-API-Key": key}
            if path.endswith("realtime"):
                headers |= {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
                headers["Sec-WebSocket-Key"] = "dGhlIHNhbXBsZSBub25jZQ=="
            with server.app.accounts.of(known).hold("sockets"):
                body = JSON if method == "POST" else None
                answer = await ask(f"{server.url}{path}", method, json=body, headers=headers)
            assert answer.status == status and paced == 1

    asyncio.run(scenario())
