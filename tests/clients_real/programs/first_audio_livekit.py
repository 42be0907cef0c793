"""How soon LiveKit's plugins give sound: python first_audio_livekit.py URL KEY PLUGIN TURNS.

Prints the milliseconds from the text of each turn, which is pushed at once, to its first sound.
"""

import asyncio
import json
import sys
import time
from typing import Any

import aiohttp
from livekit.agents import APIConnectOptions
from livekit_plugins import plugin

TEXT = "one two three four"
ONCE = APIConnectOptions(max_retry=0, timeout=10)


async def first_audio_ms(tts: Any) -> float:
    """One turn, heard to its end."""
    from_s = time.monotonic()
    if not tts.capabilities.streaming:
        stream = tts.synthesize(TEXT, conn_options=ONCE)
    else:
        stream = tts.stream(conn_options=ONCE)
        stream.push_text(TEXT)
        stream.end_input()
    async with stream:
        await anext(stream)
        at_ms = 1000 * (time.monotonic() - from_s)
        async for _ in stream:
            pass
    return at_ms


async def main(url: str, key: str, name: str, turns: str) -> None:
    async with aiohttp.ClientSession() as http:
        tts = plugin(name, url, key, "any", http)
        print(json.dumps([await first_audio_ms(tts) for _ in range(int(turns))]))
        await tts.aclose()


asyncio.run(main(*sys.argv[1:]))
