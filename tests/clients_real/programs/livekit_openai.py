"""LiveKit's plugin for OpenAI: python livekit_openai.py URL CASE KEY VOICE MODEL.

With the model tts-1 it asks for sound, with any other for events.
"""

import asyncio
import json
import sys
from typing import Any

from livekit.agents import APIConnectOptions, APIError
from livekit.plugins import openai

TEXT = "one two three four"
LONG = " ".join(["abcdefgh"] * 100)
ONCE = APIConnectOptions(max_retry=0, timeout=10)


async def heard(stream: Any) -> int:
    """How many bytes of sound a whole stream gives."""
    return sum([len(event.frame.data.tobytes()) async for event in stream])


async def speaks(tts: Any) -> object:
    return {"turns": [await heard(tts.synthesize(TEXT, conn_options=ONCE)) for _ in range(2)]}


async def interrupts(tts: Any) -> object:
    """The stream is closed in mid-speech, as an agent does when the user speaks."""
    stream = tts.synthesize(LONG, conn_options=ONCE)
    await anext(stream)
    await stream.aclose()
    return {"turns": [await heard(tts.synthesize(TEXT, conn_options=ONCE))]}


async def main(url: str, case: str, key: str, voice: str, model: str) -> None:
    tts = openai.TTS(model=model, voice=voice, api_key=key, base_url=f"{url}/v1")
    tts.prewarm()
    try:
        told = await {"speaks": speaks, "interrupts": interrupts}[case](tts)
    except APIError as error:
        told = {"error": type(error).__name__, "status": getattr(error, "status_code", None), "body": error.body}
    await tts.aclose()
    print(json.dumps(told, default=str))


asyncio.run(main(*sys.argv[1:]))
