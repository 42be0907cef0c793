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
from livekit.plugins import baseten, cartesia, deepgram, elevenlabs, openai

TEXT = "one two three four"
ONCE = APIConnectOptions(max_retry=0, timeout=10)


def plugin(name: str, url: str, key: str, http: aiohttp.ClientSession) -> Any:
    match name:
        case "deepgram":
            return deepgram.TTSv2(model="flux-alexis-en", api_key=key, base_url=f"{url}/v2/speak", http_session=http)
        case "openai":
            return openai.TTS(model="tts-1", voice="alloy", api_key=key, base_url=f"{url}/v1", response_format="pcm")
        case "elevenlabs":
            return elevenlabs.TTS(base_url=f"{url}/v1", api_key=key, encoding="pcm_24000", http_session=http)
        case "cartesia":
            return cartesia.TTS(api_key=key, base_url=url, http_session=http)
        case "vllm-omni":
            endpoint = url.replace("http", "ws", 1) + "/v1/audio/speech/stream"
            return baseten.TTS(
                model="qwen3-tts", voice="vivian", model_endpoint=endpoint, api_key=key, http_session=http
            )
    raise ValueError(f"expected a plugin, found {name}")


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
        tts = plugin(name, url, key, http)
        print(json.dumps([await first_audio_ms(tts) for _ in range(int(turns))]))
        await tts.aclose()


asyncio.run(main(*sys.argv[1:]))
