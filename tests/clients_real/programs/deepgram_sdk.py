"""Deepgram's own client against a server: python deepgram_sdk.py URL CASE KEY VOICE."""

import asyncio
import json
import sys
from typing import Any

from deepgram import AsyncDeepgramClient
from deepgram.core.api_error import ApiError
from deepgram.environment import DeepgramClientEnvironment
from deepgram.speak.v1.types import SpeakV1Text
from deepgram.speak.v2.types import SpeakV2Interrupt, SpeakV2Speak
from server_restart import restart_of

TEXT = "one two three four"
LONG = " ".join(["abcdefgh"] * 100)


class Case:
    """What the client can be asked to do."""

    def __init__(self, url: str, key: str, voice: str) -> None:
        ws = url.replace("http", "ws", 1)
        urls = DeepgramClientEnvironment(base=url, production=ws, agent=ws, agent_rest=url)
        self.client = AsyncDeepgramClient(api_key=key, environment=urls)
        self.url = url
        self.voice = voice

    def aura(self) -> Any:
        return self.client.speak.v1.connect(model=self.voice, encoding="linear16", sample_rate="24000")

    def flux(self) -> Any:
        return self.client.speak.v2.connect(model=self.voice, encoding="linear16", sample_rate="24000")

    async def http(self) -> object:
        chunks = self.client.speak.v1.audio.generate(
            text=TEXT, model=self.voice, encoding="linear16", container="none", sample_rate=24000
        )
        return {"bytes": sum([len(chunk) async for chunk in chunks])}

    async def speaks(self) -> object:
        """Two turns on one Aura socket, word by word."""
        turns = []
        async with self.aura() as socket:
            for _ in range(2):
                for word in TEXT.split():
                    await socket.send_text(SpeakV1Text(text=word + " "))
                await socket.send_flush()
                turns.append(await until(socket, "Flushed"))
            await socket.send_close()
        return turns

    async def interrupts(self) -> object:
        """Clear in mid-speech, then another turn."""
        async with self.aura() as socket:
            await socket.send_text(SpeakV1Text(text=LONG))
            await until(socket, "sound")
            await socket.send_clear()
            await until(socket, "Cleared")
            await socket.send_text(SpeakV1Text(text=TEXT))
            await socket.send_flush()
            return await until(socket, "Flushed")

    async def flux_speaks(self) -> object:
        turns = []
        async with self.flux() as socket:
            for _ in range(2):
                for word in TEXT.split():
                    await socket.send_speak(SpeakV2Speak(text=word + " "))
                await socket.send_flush()
                turns.append(await until(socket, "SpeechMetadata"))
            await socket.send_close()
            turns.append(await until(socket, "SessionMetadata"))
        return turns

    async def flux_interrupts(self) -> object:
        async with self.flux() as socket:
            await socket.send_speak(SpeakV2Speak(text=LONG))
            await until(socket, "sound")
            await socket.send_interrupt(SpeakV2Interrupt(playback_offset={"type": "time_ms", "value": 200}))
            stopped = await until(socket, "SpeechInterrupted")
            await socket.send_speak(SpeakV2Speak(text=TEXT))
            await socket.send_flush()
            return [stopped, await until(socket, "SpeechMetadata")]

    async def overload(self) -> object:
        """Two sockets speak where there is room for one."""
        async with self.flux() as first, self.flux() as second:
            await first.send_speak(SpeakV2Speak(text=LONG))
            await until(first, "sound")
            await second.send_speak(SpeakV2Speak(text=LONG))
            return await until(second, "Error")

    async def restarts(self) -> object:
        """Each turn on a socket of its own: the client does not connect one again."""
        turns = []
        for number in range(2):
            if number:
                await restart_of(self.url)
            async with self.flux() as socket:
                await socket.send_speak(SpeakV2Speak(text=TEXT))
                await socket.send_flush()
                turns.append(await until(socket, "SpeechMetadata"))
        return [*turns, await self.http()]


async def until(socket: Any, kind: str) -> dict[str, Any]:
    """The message of this kind, and how many bytes of sound came before it."""
    size = 0
    async for message in socket:
        if isinstance(message, bytes):
            size += len(message)
            if kind == "sound":
                return {"bytes": size}
        elif message.type == kind:
            return {"bytes": size, **json.loads(message.json())}
    raise SystemExit(f"closed before {kind}")


async def main(url: str, case: str, key: str, voice: str) -> None:
    try:
        told = await getattr(Case(url, key, voice), case)()
    except ApiError as error:
        told = {"status": error.status_code, "body": error.body, "error": (error.headers or {}).get("dg-error")}
    print(json.dumps(told, default=str))


asyncio.run(main(*sys.argv[1:]))
