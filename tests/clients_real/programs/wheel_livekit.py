"""Our plugin of LiveKit: wheel_livekit.py URL. Tells where it is installed, and what it heard."""

import asyncio
import json
import sys
from typing import Any

from livekit.plugins import rtserver
from livekit_sound import sound_bytes

TEXT = "one two three four"


async def streamed(tts: Any) -> int:
    """Word by word, as an agent does."""
    stream = tts.stream()
    for word in TEXT.split():
        stream.push_text(f"{word} ")
    stream.end_input()
    return sum([sound_bytes(event) async for event in stream])


async def main(url: str) -> None:
    tts = rtserver.TTS(url=url, language="en")
    sizes = [await streamed(tts), sum([sound_bytes(event) async for event in tts.synthesize(TEXT)])]
    await tts.aclose()
    print(json.dumps({"file": rtserver.__file__, "bytes": sizes, "errors": []}))


asyncio.run(main(sys.argv[1]))
