"""A plugin of LiveKit says a text: python say_livekit.py URL KEY PLUGIN TEXT FILE.

The text comes word by word where the plugin can. The sound is written as a WAV file.
"""

import asyncio
import json
import sys
from pathlib import Path

import aiohttp
from livekit import rtc
from livekit.agents import APIConnectOptions
from livekit_plugins import plugin

ONCE = APIConnectOptions(max_retry=0, timeout=20)


async def said(url: str, key: str, name: str, text: str) -> rtc.AudioFrame:
    """All of its sound."""
    async with aiohttp.ClientSession() as http:
        tts = plugin(name, url, key, "any", http)
        if tts.capabilities.streaming:
            stream = tts.stream(conn_options=ONCE)
            for token in text.replace(" ", "\0 ").split("\0"):
                stream.push_text(token)
            stream.end_input()
        else:
            stream = tts.synthesize(text, conn_options=ONCE)
        async with stream:
            frames = [event.frame async for event in stream]
        await tts.aclose()
    return rtc.combine_audio_frames(frames)


*request, file = sys.argv[1:]
sound = asyncio.run(said(*request))
Path(file).write_bytes(sound.to_wav_bytes())
print(json.dumps(sound.sample_rate))
