"""LiveKit's plugin for Deepgram: python livekit_deepgram.py URL CASE KEY VOICE SERVICE. SERVICE is flux or aura."""

import asyncio
import json
import sys
from typing import Any

import aiohttp
from livekit.agents import APIConnectOptions, APIError
from livekit.plugins import deepgram
from livekit_sound import sound_bytes
from server_restart import restart_of

TEXT = "one two three four"
LONG = " ".join(["abcdefgh"] * 100)
ONCE = APIConnectOptions(max_retry=0, timeout=10)


async def heard(stream: Any) -> int:
    """How many bytes of sound a whole stream gives."""
    return sum([sound_bytes(event) async for event in stream])


async def streamed(tts: Any, options: APIConnectOptions = ONCE) -> int:
    """A turn, token by token."""
    async with tts.stream(conn_options=options) as stream:
        for token in TEXT.replace(" ", "\0 ").split("\0"):
            stream.push_text(token)
        stream.end_input()
        return await heard(stream)


async def speaks(tts: Any) -> object:
    turns = [await streamed(tts), await streamed(tts)]
    return {"turns": turns, "file": await heard(tts.synthesize(TEXT, conn_options=ONCE))}


async def restarts(tts: Any) -> object:
    """The pool has a socket of the old server; a retry takes a new one, as in an agent."""
    turns = [await streamed(tts)]
    await restart_of(sys.argv[1])
    return {"turns": [*turns, await streamed(tts, APIConnectOptions())]}


async def interrupts(tts: Any) -> object:
    """The stream is closed in mid-speech, as an agent does when the user speaks."""
    stream = tts.stream(conn_options=ONCE)
    stream.push_text(LONG)
    await anext(stream)
    await stream.aclose()
    return {"turns": [await streamed(tts)]}


async def fails(tts: Any) -> object:
    async with tts.stream(conn_options=ONCE) as stream:
        stream.push_text(LONG)
        stream.end_input()
        await heard(stream)
    return {}


async def main(url: str, case: str, key: str, voice: str, service: str) -> None:
    async with aiohttp.ClientSession() as http:
        make, path = (deepgram.TTSv2, "/v2/speak") if service == "flux" else (deepgram.TTS, "/v1/speak")
        tts = make(model=voice, api_key=key, base_url=url + path, http_session=http)
        try:
            told = await globals()[case](tts)
        except APIError as error:
            told = {"error": type(error).__name__, "status": getattr(error, "status_code", None), "body": error.body}
        await tts.aclose()
    print(json.dumps(told, default=str))


asyncio.run(main(*sys.argv[1:]))
