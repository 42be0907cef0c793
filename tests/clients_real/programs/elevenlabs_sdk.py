"""ElevenLabs' own client: python elevenlabs_sdk.py URL CASE KEY VOICE."""

import asyncio
import base64
import json
import sys
from collections.abc import Iterator

from elevenlabs.client import ElevenLabs
from elevenlabs.core.api_error import ApiError
from server_restart import restart_of
from websockets.exceptions import InvalidStatus

TEXT = "one two three four"
LONG = " ".join(["abcdefgh"] * 100)
MODEL = "eleven_flash_v2_5"
PCM = "pcm_24000"
ONCE = {"max_retries": 0}


def words(text: str) -> Iterator[str]:
    yield from (word + " " for word in text.split())


def realtime(client: ElevenLabs, voice: str, text: str = TEXT) -> int:
    """Word by word over a socket. The client knows only TLS."""
    client.text_to_speech._ws_base_url = sys.argv[1].replace("http", "ws", 1)
    pieces = client.text_to_speech.convert_realtime(voice, text=words(text), model_id=MODEL, output_format=PCM)
    return sum(map(len, pieces))


def plain(client: ElevenLabs, voice: str, text: str = TEXT, output_format: str = PCM) -> int:
    ways = client.text_to_speech
    return sum(
        map(len, ways.convert(voice, text=text, model_id=MODEL, output_format=output_format, request_options=ONCE))
    )


def speaks(client: ElevenLabs, voice: str) -> object:
    """Every way to speak, each with the same text."""
    ways = client.text_to_speech
    turns = [realtime(client, voice), plain(client, voice)]
    turns.append(sum(map(len, ways.stream(voice, text=TEXT, model_id=MODEL, output_format=PCM))))
    whole = ways.convert_with_timestamps(voice, text=TEXT, model_id=MODEL, output_format=PCM)
    lines = list(ways.stream_with_timestamps(voice, text=TEXT, model_id=MODEL, output_format=PCM))
    turns.append(len(base64.b64decode(whole.audio_base_64)))
    turns.append(sum(len(base64.b64decode(line.audio_base_64)) for line in lines))
    characters = [char for line in lines if line.alignment for char in line.alignment.characters]
    return {"turns": turns, "whole": "".join(whole.alignment.characters), "lines": "".join(characters)}


def formats(client: ElevenLabs, voice: str) -> object:
    names = ("mp3_44100_128", "mp3_22050_32", "opus_48000_64", "ulaw_8000", "alaw_8000", "pcm_8000", "pcm_48000")
    return {name: plain(client, voice, output_format=name) for name in names}


def interrupts(client: ElevenLabs, voice: str) -> object:
    """A long answer is left after its first bytes, over a socket and over HTTP; the next one is whole."""
    ways = client.text_to_speech
    ways._ws_base_url = sys.argv[1].replace("http", "ws", 1)
    spoken = ways.convert_realtime(voice, text=words(LONG), model_id=MODEL, output_format=PCM)
    next(spoken)
    spoken.close()
    left = ways.stream(voice, text=LONG, model_id=MODEL, output_format=PCM)
    next(left)
    left.close()
    return {"turns": [realtime(client, voice), plain(client, voice)]}


def restarts(client: ElevenLabs, voice: str) -> object:
    turns = [realtime(client, voice)]
    asyncio.run(restart_of(sys.argv[1]))
    return {"turns": [*turns, realtime(client, voice), plain(client, voice)]}


def lists(client: ElevenLabs, voice: str) -> object:
    return {
        "v1": [one.voice_id for one in client.voices.get_all().voices],
        "v2": [one.voice_id for one in client.voices.search().voices],
        "one": client.voices.get(voice).voice_id,
        "models": [one.model_id for one in client.models.list()],
    }


def adds(client: ElevenLabs, voice: str) -> object:
    return client.voices.ivc.create(name="mine", files=[b"RIFF"], request_options=ONCE)


def main(url: str, case: str, key: str, voice: str) -> object:
    client = ElevenLabs(base_url=url, api_key=key, timeout=20)
    try:
        return globals()[case](client, voice)
    except ApiError as error:
        return {"status": error.status_code, "body": error.body}
    except InvalidStatus as error:  # what the client lets through of a handshake that is refused
        return {"status": error.response.status_code, "body": json.loads(error.response.body or b"null")}


print(json.dumps(main(*sys.argv[1:])))
