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
        voice = VOICES.get(name) or VOICES[name.rpartition("-")[0]]
    match name:
        case "rtserver":
            return rtserver.TTS(url=url, api_key=key, voice=voice)
        case "deepgram-flux":
            return deepgram.TTSv2(model=voice, api_key=key, base_url=f"{url}/v2/speak", http_session=http)
        case "deepgram-aura":
            return deepgram.TTS(model=voice, api_key=key, base_url=f"{url}/v1/speak", http_session=http)
        case "cartesia":
            return cartesia.TTS(api_key=key, base_url=url, voice=voice, http_session=http)
        case "elevenlabs" | "elevenlabs-mp3":
            encoding = "mp3_22050_32" if name.endswith("mp3") else "pcm_24000"
            return elevenlabs.TTS(
                base_url=f"{url}/v1", api_key=key, voice_id=voice, encoding=encoding, http_session=http
            )
        case "openai" | "openai-events" | "openai-pcm":
            model = "gpt-4o-mini-tts" if name.endswith("events") else "tts-1"  # it asks for sound, or for events
            sound = "pcm" if name.endswith("pcm") else "mp3"
            tts = openai.TTS(model=model, voice=voice, api_key=key, base_url=f"{url}/v1", response_format=sound)
            tts.prewarm()
            return tts
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
