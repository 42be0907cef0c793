"""Cartesia's own client against a server: python cartesia_sdk.py URL CASE KEY VOICE."""

import asyncio
import json
import sys
from typing import Any

from cartesia import APIStatusError, AsyncCartesia
from server_restart import restart_of
from websockets.exceptions import InvalidStatus

TEXT = "one two three four"
LONG = " ".join(["abcdefgh"] * 100)
RAW = {"container": "raw", "encoding": "pcm_s16le", "sample_rate": 24000}


class Case:
    """What the client can be asked to do."""

    def __init__(self, url: str, key: str, voice: str) -> None:
        ws = url.replace("http", "ws", 1)
        self.url = url
        self.client = AsyncCartesia(api_key=key, base_url=url, websocket_base_url=ws, max_retries=0)
        self.spoken: dict[str, Any] = {"model_id": "sonic-3", "voice": {"mode": "id", "id": voice}}
        self.spoken["output_format"] = RAW

    async def turn(self, socket: Any) -> dict[str, Any]:
        """Word by word."""
        context = socket.context(**self.spoken, add_timestamps=True)
        for word in TEXT.split():
            await context.push(word + " ")
        await context.no_more_inputs()
        return await heard(context)

    async def speaks(self) -> object:
        """Two turns on one socket, over HTTP in whole, and in events."""
        async with self.client.tts.websocket_connect() as socket:
            turns = [await self.turn(socket), await self.turn(socket)]
        return [*turns, await self.http(), await self.events()]

    async def http(self) -> dict[str, Any]:
        answer = await self.client.tts.generate(transcript=TEXT, **self.spoken)
        return {"bytes": len(await answer.read())}

    async def events(self) -> dict[str, Any]:
        stream = await self.client.tts.generate_sse(transcript=TEXT, **self.spoken)
        return {"bytes": sum([len(event.audio) async for event in stream if event.type == "chunk"])}

    async def interrupts(self) -> object:
        """A context is cancelled in mid-speech, while another one speaks. The client then forgets the first."""
        async with self.client.tts.websocket_connect() as socket:
            first, second = socket.context(**self.spoken), socket.context(**self.spoken)
            await first.push(LONG)
            messages = first.receive()
            while (await anext(messages)).type != "chunk":
                pass
            await second.push(TEXT)
            await second.no_more_inputs()
            await first.cancel()
            return await heard(second)

    async def voices(self) -> object:
        ids = [voice.id async for voice in self.client.voices.list(limit=3)]
        return {"ids": ids, "first": (await self.client.voices.get(ids[0])).name}

    async def overload(self) -> object:
        """Two contexts speak where there is room for one."""
        async with self.client.tts.websocket_connect() as socket:
            first, second = socket.context(**self.spoken), socket.context(**self.spoken)
            await first.push(LONG)
            messages = first.receive()
            while (await anext(messages)).type != "chunk":
                pass
            await second.push(LONG)
            await second.no_more_inputs()
            return await heard(second)

    async def fails(self) -> object:
        async with self.client.tts.websocket_connect() as socket:
            return await self.turn(socket)

    async def restarts(self) -> object:
        """Each turn on a socket of its own: the client does not connect one again."""
        turns = []
        async with self.client.tts.websocket_connect() as socket:
            turns.append(await self.turn(socket))
        await restart_of(self.url)
        async with self.client.tts.websocket_connect() as socket:
            turns.append(await self.turn(socket))
        return turns


async def heard(context: Any) -> dict[str, Any]:
    """All that comes of a context: its sound, its words, the kinds of its messages, its error."""
    size, words, kinds, error = 0, [], [], None
    async for message in context.receive():
        kinds.append(message.type)
        if message.type == "chunk":
            size += len(message.audio)
        elif message.type == "timestamps":
            words += message.word_timestamps.words
        elif message.type == "error":
            error = [message.error_code, message.status_code, message.message]
    return {"bytes": size, "words": words, "kinds": kinds, "error": error}


async def main(url: str, case: str, key: str, voice: str) -> None:
    try:
        told = await getattr(Case(url, key, voice), case)()
    except APIStatusError as error:
        told = {"status": error.status_code, "body": error.body}
    except InvalidStatus as error:
        told = {"status": error.response.status_code}
    print(json.dumps(told, default=str))


asyncio.run(main(*sys.argv[1:]))
