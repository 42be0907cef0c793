"""LiveKit's plugin for Baseten, with word times: python livekit_baseten.py URL CASE KEY VOICE."""

import asyncio
import json
import sys
from typing import Any

import aiohttp
from livekit.agents import APIConnectOptions, APIError
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT
from livekit.plugins import baseten
from livekit_sound import sound_bytes

TEXT = "one two three four"
LONG = " ".join(["abcdefgh"] * 100)
ONCE = APIConnectOptions(max_retry=0, timeout=10)


class Heard:
    """Sound, and the words with the times at which they begin and end."""

    def __init__(self) -> None:
        self.bytes = 0
        self.words: list[tuple[str, float, float]] = []

    def take(self, event: Any) -> None:
        self.bytes += sound_bytes(event)
        for word in event.frame.userdata.get(USERDATA_TIMED_TRANSCRIPT, []):
            self.words.append((str(word), round(word.start_time, 3), round(word.end_time, 3)))


async def turn(tts: Any) -> dict[str, Any]:
    """Token by token."""
    heard = Heard()
    async with tts.stream(conn_options=ONCE) as stream:
        for token in TEXT.replace(" ", "\0 ").split("\0"):
            stream.push_text(token)
        stream.end_input()
        async for event in stream:
            heard.take(event)
    return vars(heard)


async def speaks(tts: Any) -> object:
    return [await turn(tts), await turn(tts)]


async def interrupts(tts: Any) -> object:
    """The stream is closed in mid-speech: what was said so far has its words."""
    heard = Heard()
    stream = tts.stream(conn_options=ONCE)
    stream.push_text(LONG)
    stream.end_input()
    async for event in stream:
        heard.take(event)
        if heard.bytes > 3 * 48000:
            break
    await stream.aclose()
    return [vars(heard), await turn(tts)]


async def fails(tts: Any) -> object:
    return [await turn(tts)]


async def main(url: str, case: str, key: str, voice: str) -> None:
    async with aiohttp.ClientSession() as http:
        endpoint = url.replace("http", "ws", 1) + "/v1/audio/speech/stream"
        tts = baseten.TTS(
            model="qwen3-tts",
            model_endpoint=endpoint,
            api_key=key,
            voice=voice,
            word_timestamps=True,
            http_session=http,
        )
        try:
            told = await globals()[case](tts)
        except APIError as error:
            told = {"error": str(error), "status": getattr(error, "status_code", None)}
        await tts.aclose()
    print(json.dumps(told))


asyncio.run(main(*sys.argv[1:]))
