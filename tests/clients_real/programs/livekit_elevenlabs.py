"""LiveKit's plugin for ElevenLabs: python livekit_elevenlabs.py URL CASE KEY VOICE [ENCODING]."""

import asyncio
import json
import sys
from typing import Any

import aiohttp
from livekit.agents import APIConnectOptions, APIError
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT
from livekit.plugins import elevenlabs
from livekit_sound import sound_bytes
from server_restart import restart_of

TEXT = "one two three four"
LONG = " ".join(["Abcdefgh abcdefgh abcdefgh."] * 40)  # no sentence begins with a small letter
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


async def streamed(tts: Any, options: APIConnectOptions = ONCE) -> Heard:
    """A turn, token by token."""
    heard = Heard()
    async with tts.stream(conn_options=options) as stream:
        for token in TEXT.replace(" ", "\0 ").split("\0"):
            stream.push_text(token)
        stream.end_input()
        async for event in stream:
            heard.take(event)
    return heard


async def whole(tts: Any) -> int:
    return sum([sound_bytes(event) async for event in tts.synthesize(TEXT, conn_options=ONCE)])


async def speaks(tts: Any) -> object:
    turns = [await streamed(tts), await streamed(tts)]
    return {"turns": [turn.bytes for turn in turns], "words": [turn.words for turn in turns], "file": await whole(tts)}


async def restarts(tts: Any) -> object:
    """Its socket is one of the old server; a retry takes a new one, as in an agent."""
    first = await streamed(tts)
    await restart_of(sys.argv[1])
    return {"turns": [first.bytes, (await streamed(tts, APIConnectOptions())).bytes]}


async def interrupts(tts: Any) -> object:
    """The stream is closed in mid-speech while its text still comes; the next turn has the same socket."""
    stream = tts.stream(conn_options=ONCE)
    stream.push_text(LONG)
    await anext(stream)
    await stream.aclose()
    return {"turns": [(await streamed(tts)).bytes]}


async def fails(tts: Any) -> object:
    async with tts.stream(conn_options=ONCE) as stream:
        stream.push_text(LONG)
        stream.end_input()
        async for _ in stream:
            pass
    return {}


async def lists(tts: Any) -> object:
    return [voice.id for voice in await tts.list_voices()]


async def main(url: str, case: str, key: str, voice: str, encoding: str = "pcm_24000") -> None:
    async with aiohttp.ClientSession() as http:
        tts = elevenlabs.TTS(base_url=f"{url}/v1", api_key=key, voice_id=voice, encoding=encoding, http_session=http)
        try:
            told = await globals()[case](tts)
        except APIError as error:
            cause = error.__cause__
            told = {"error": str(error), "status": getattr(error, "status_code", None), "cause": str(cause)}
        await tts.aclose()
    print(json.dumps(told))


asyncio.run(main(*sys.argv[1:]))
