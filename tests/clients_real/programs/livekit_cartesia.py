"""LiveKit's plugin for Cartesia, with word times: python livekit_cartesia.py URL CASE KEY VOICE."""

import asyncio
import json
import sys
from typing import Any

import aiohttp
from livekit.agents import APIConnectOptions, APIError
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT
from livekit.plugins import cartesia
from livekit_sound import sound_bytes
from server_restart import restart_of

TEXT = "one two three four"
LONG = " ".join(["abcdefgh"] * 100)
ONCE = APIConnectOptions(max_retry=0, timeout=10)


class Heard:
    """Sound, and the words with the times at which they begin."""

    def __init__(self) -> None:
        self.bytes = 0
        self.words: list[tuple[str, float]] = []

    def take(self, event: Any) -> None:
        self.bytes += sound_bytes(event)
        for word in event.frame.userdata.get(USERDATA_TIMED_TRANSCRIPT, []):
            self.words.append((str(word), round(word.start_time, 3)))


async def turn(tts: Any, options: APIConnectOptions = ONCE) -> dict[str, Any]:
    """Token by token."""
    heard = Heard()
    async with tts.stream(conn_options=options) as stream:
        for token in TEXT.replace(" ", "\0 ").split("\0"):
            stream.push_text(token)
        stream.end_input()
        async for event in stream:
            heard.take(event)
    return vars(heard)


async def speaks(tts: Any) -> object:
    """Two turns on one socket, then a whole text over HTTP."""
    turns = [await turn(tts), await turn(tts)]
    return [*turns, {"bytes": sum([sound_bytes(event) async for event in tts.synthesize(TEXT, conn_options=ONCE)])}]


async def restarts(tts: Any) -> object:
    """The pool has a socket of the old server; a retry takes a new one, as in an agent."""
    turns = [await turn(tts)]
    await restart_of(sys.argv[1])
    return [*turns, await turn(tts, APIConnectOptions())]


async def interrupts(tts: Any) -> object:
    """The stream is closed in mid-speech, as an agent does when the user speaks."""
    stream = tts.stream(conn_options=ONCE)
    stream.push_text(LONG)
    stream.end_input()
    await anext(stream)
    await stream.aclose()
    return [await turn(tts)]


async def fails(tts: Any) -> object:
    async with tts.stream(conn_options=ONCE) as stream:
        stream.push_text(LONG)
        stream.end_input()
        return [sound_bytes(event) async for event in stream]


async def main(url: str, case: str, key: str, voice: str) -> None:
    async with aiohttp.ClientSession() as http:
        tts = cartesia.TTS(voice=voice, api_key=key, base_url=url, http_session=http)
        try:
            told = await globals()[case](tts)
        except APIError as error:
            told = {"error": str(error), "status": getattr(error, "status_code", None)}
        await tts.aclose()
    print(json.dumps(told))


asyncio.run(main(*sys.argv[1:]))
