"""LiveKit's inference client, which needs no plugin: python livekit_inference.py URL CASE KEY VOICE."""

import asyncio
import json
import sys
from typing import Any

import aiohttp
from livekit.agents import APIConnectOptions, APIError, inference
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT
from livekit_sound import sound_bytes

TEXT = "one two three four"
LONG = " ".join(["abcdefgh"] * 100)
ONCE = APIConnectOptions(max_retry=0, timeout=10)


async def turn(tts: Any, text: str = TEXT) -> dict[str, Any]:
    """Token by token: the sound, and the words with the times at which they begin."""
    size, words = 0, []
    async with tts.stream(conn_options=ONCE) as stream:
        for token in text.replace(" ", "\0 ").split("\0"):
            stream.push_text(token)
        stream.end_input()
        async for event in stream:
            size += sound_bytes(event)
            for word in event.frame.userdata.get(USERDATA_TIMED_TRANSCRIPT, []):
                words.append((str(word), round(word.start_time, 3)))
    return {"bytes": size, "words": words}


async def speaks(tts: Any) -> object:
    return [await turn(tts), await turn(tts)]


async def interrupts(tts: Any) -> object:
    """The stream is closed in mid-speech, as an agent does when the user speaks."""
    stream = tts.stream(conn_options=ONCE)
    stream.push_text(LONG)
    stream.end_input()
    await anext(stream)
    await stream.aclose()
    return [await turn(tts)]


async def fails(tts: Any) -> object:
    return [await turn(tts, LONG)]


async def main(url: str, case: str, key: str, voice: str) -> None:
    async with aiohttp.ClientSession() as http:
        tts = inference.TTS(
            "assemblyai/any", voice=voice, base_url=url, api_key=key, api_secret="any", http_session=http
        )
        try:
            told = await globals()[case](tts)
        except APIError as error:
            told = {"error": str(error), "status": getattr(error, "status_code", None)}
        await tts.aclose()
    print(json.dumps(told))


asyncio.run(main(*sys.argv[1:]))
