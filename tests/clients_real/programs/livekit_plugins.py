"""LiveKit's plugins for the server, by name."""

from typing import Any

import aiohttp
from livekit.agents import inference
from livekit.plugins import baseten, cartesia, deepgram, elevenlabs, openai, rtserver

VOICES = {
    "deepgram-flux": "flux-alexis-en",
    "deepgram-aura": "aura-2-thalia-en",
    "cartesia": "f786b574-daa5-4673-aa0c-cbe3e8534c02",
    "elevenlabs": "hpp4J3VqNfWAUOO0d1Us",
    "openai": "onyx",
    "baseten": "vivian",
    "inference": "female",
    "rtserver": "default",
}


def plugin(name: str, url: str, key: str, voice: str, http: aiohttp.ClientSession) -> Any:
    """A plugin with this key. VOICE is `any` for one that it knows."""
    if voice == "any":
        voice = VOICES[name]
    match name:
        case "rtserver":
            return rtserver.TTS(url=url, api_key=key, voice=voice)
        case "deepgram-flux":
            return deepgram.TTSv2(model=voice, api_key=key, base_url=f"{url}/v2/speak", http_session=http)
        case "deepgram-aura":
            return deepgram.TTS(model=voice, api_key=key, base_url=f"{url}/v1/speak", http_session=http)
        case "cartesia":
            return cartesia.TTS(api_key=key, base_url=url, voice=voice, http_session=http)
        case "elevenlabs":
            return elevenlabs.TTS(
                base_url=f"{url}/v1", api_key=key, voice_id=voice, encoding="pcm_24000", http_session=http
            )
        case "openai":
            return openai.TTS(model="tts-1", voice=voice, api_key=key, base_url=f"{url}/v1", response_format="pcm")
        case "baseten":
            return baseten.TTS(
                model="qwen3-tts",
                model_endpoint=url.replace("http", "ws", 1) + "/v1/audio/speech/stream",
                api_key=key,
                voice=voice,
                word_timestamps=True,
                http_session=http,
            )
        case "inference":
            return inference.TTS(
                "assemblyai/any", voice=voice, base_url=url, api_key=key, api_secret="any", http_session=http
            )
    raise ValueError(f"expected a plugin, found {name}")
