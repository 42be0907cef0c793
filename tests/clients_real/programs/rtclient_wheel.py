"""Speaks with rtclient: rtclient_wheel.py URL. Tells where it is installed, and what it heard."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator

import rtclient
from rtclient import sync


async def words() -> AsyncIterator[str]:
    for word in ("one ", "two ", "three ", "four"):
        yield word


async def streamed(url: str) -> dict[str, object]:
    async with rtclient.connect(url) as session:
        speech = session.speak(words(), language="en")
        size = sum([len(audio.pcm) async for audio in speech])
        return {"bytes": size, "words": [mark.text for mark in speech.marks]}


def whole(url: str) -> dict[str, object]:
    with sync.connect(url) as session:
        speech = session.speak("one two three four", language="en")
        return {"bytes": sum(len(audio.pcm) for audio in speech), "words": [mark.text for mark in speech.marks]}


print(json.dumps({"file": rtclient.__file__, "turns": [asyncio.run(streamed(sys.argv[1])), whole(sys.argv[1])]}))
