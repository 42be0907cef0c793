"""A plugin of LiveKit: python livekit_turns.py URL CASE KEY VOICE PLUGIN.

The program tells, for each turn, the bytes of sound and the words with the times at which they begin and end.
"""

import asyncio
import json
import sys
from typing import Any

import aiohttp
from livekit.agents import APIConnectOptions, APIError
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT
from livekit_plugins import plugin
from livekit_sound import sound_bytes
from server_restart import restart_of

TEXT = "one two three four"
LONG = " ".join(["Abcdefgh abcdefgh abcdefgh."] * 40)  # no sentence begins with a small letter
ONCE = APIConnectOptions(max_retry=0, timeout=10)


class Heard:
    """The sound of a stream, and its words."""

    def __init__(self) -> None:
        self.bytes = 0
        self.words: list[tuple[str, float, float]] = []

    def take(self, event: Any) -> None:
        self.bytes += sound_bytes(event)
        for word in event.frame.userdata.get(USERDATA_TIMED_TRANSCRIPT, []):
            self.words.append((str(word).strip(), round(word.start_time, 3), round(word.end_time, 3)))


def opened(tts: Any, text: str, options: APIConnectOptions) -> Any:
    """A stream that says the text, token by token where the plugin can. More text may come."""
    if not tts.capabilities.streaming:
        return tts.synthesize(text, conn_options=options)
    stream = tts.stream(conn_options=options)
    for token in text.replace(" ", "\0 ").split("\0"):
        stream.push_text(token)
    return stream


async def turn(tts: Any, text: str = TEXT, options: APIConnectOptions = ONCE) -> dict[str, Any]:
    heard = Heard()
    async with opened(tts, text, options) as stream:
        if tts.capabilities.streaming:
            stream.end_input()
        async for event in stream:
            heard.take(event)
    return vars(heard)


async def speaks(tts: Any) -> object:
    turns = [await turn(tts), await turn(tts)]
    whole = Heard()
    async with tts.synthesize(TEXT, conn_options=ONCE) as stream:
        async for event in stream:
            whole.take(event)
    return {"turns": turns, "whole": vars(whole)}


async def interrupts(tts: Any) -> object:
    """The stream is closed in mid-speech, as an agent does when the user speaks."""
    heard = Heard()
    stream = opened(tts, LONG, ONCE)
    async for event in stream:
        heard.take(event)
        if heard.bytes > 3 * 48000:
            break
    await stream.aclose()
    return {"before": vars(heard), "turns": [await turn(tts)]}


async def restarts(tts: Any) -> object:
    """The connection is one of the old server; the plugin or a retry takes a new one, as in an agent."""
    turns = [await turn(tts)]
    await restart_of(sys.argv[1])
    return {"turns": [*turns, await turn(tts, options=APIConnectOptions())]}


async def fails(tts: Any) -> object:
    return {"turns": [await turn(tts, LONG)]}


async def lists(tts: Any) -> object:
    return [voice.id for voice in await tts.list_voices()]


async def main(url: str, case: str, key: str, voice: str, name: str) -> None:
    async with aiohttp.ClientSession() as http:
        tts = plugin(name, url, key, voice, http)
        try:
            told = await globals()[case](tts)
        except APIError as error:
            told = {
                "error": str(error),
                "status": getattr(error, "status_code", None),
                "retryable": error.retryable,
                "body": error.body,
                "cause": str(error.__cause__),
            }
        await tts.aclose()
    print(json.dumps(told, default=str))


asyncio.run(main(*sys.argv[1:]))
