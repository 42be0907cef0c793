"""A WebSocket of FastAPI that sends frames: one of the servers that front.py compares."""

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

# FastAPI reads annotations when a route is added, so they must not be strings: no `annotations` of __future__ here.
Talk = Callable[[Callable[[bytes], Awaitable[None]]], Awaitable[None]]


def application(path: str, talk: Talk) -> Any:
    """The application. Its socket sends until the client leaves."""
    made = FastAPI()

    async def sound(websocket: WebSocket) -> None:
        await websocket.accept()
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # the client has left
            await talk(websocket.send_bytes)

    made.websocket(path)(sound)
    return made
