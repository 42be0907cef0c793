"""pipecat's services for the server, by name."""

import aiohttp
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.cartesia.tts import CartesiaHttpTTSService, CartesiaTTSService
from pipecat.services.deepgram.flux.tts import DeepgramFluxTTSService
from pipecat.services.deepgram.tts import DeepgramHttpTTSService, DeepgramTTSService
from pipecat.services.elevenlabs.tts import ElevenLabsHttpTTSService, ElevenLabsTTSService
from pipecat.services.openai.tts import OpenAITTSService
from pipecat.services.tts_service import TextAggregationMode
from pipecat_rtserver import RTServerTTSService

VOICES = {
    "deepgram-flux": "flux-alexis-en",
    "deepgram-aura": "aura-2-thalia-en",
    "deepgram-http": "aura-2-thalia-en",
    "cartesia": "f786b574-daa5-4673-aa0c-cbe3e8534c02",
    "elevenlabs": "21m00Tcm4TlvDq8ikWAM",
    "openai": "alloy",
    "rtserver": "default",
}


def service(name: str, url: str, key: str, voice: str, http: aiohttp.ClientSession) -> FrameProcessor:
    """A service with this key. VOICE is `any` for one that it knows. `-tokens` and `-sentences` say how it sends text,
    where that is not as it does by itself; with `-http` it does not use a socket."""
    ws = url.replace("http", "ws", 1)
    by_token = name.endswith("-tokens") or name == "rtserver"
    mode = TextAggregationMode.TOKEN if by_token else TextAggregationMode.SENTENCE
    kind = name.removesuffix("-tokens").removesuffix("-sentences")
    if voice == "any":
        voice = VOICES.get(kind) or VOICES[kind.removesuffix("-http")]
    match kind:
        case "rtserver":
            settings = RTServerTTSService.Settings(voice=voice)
            return RTServerTTSService(url=url, api_key=key, settings=settings, text_aggregation_mode=mode)
        case "deepgram-flux":
            settings = DeepgramFluxTTSService.Settings(voice=voice)
            return DeepgramFluxTTSService(api_key=key, url=f"{ws}/v2/speak", settings=settings)
        case "deepgram-aura":
            return DeepgramTTSService(api_key=key, base_url=ws, settings=DeepgramTTSService.Settings(voice=voice))
        case "deepgram-http":
            settings = DeepgramHttpTTSService.Settings(voice=voice)
            return DeepgramHttpTTSService(api_key=key, base_url=url, aiohttp_session=http, settings=settings)
        case "cartesia":
            settings = CartesiaTTSService.Settings(voice=voice)
            return CartesiaTTSService(
                api_key=key, url=f"{ws}/tts/websocket", settings=settings, text_aggregation_mode=mode
            )
        case "cartesia-http":
            settings = CartesiaHttpTTSService.Settings(voice=voice)
            return CartesiaHttpTTSService(api_key=key, base_url=url, aiohttp_session=http, settings=settings)
        case "elevenlabs":
            settings = ElevenLabsTTSService.Settings(voice=voice)
            return ElevenLabsTTSService(api_key=key, url=ws, settings=settings, text_aggregation_mode=mode)
        case "elevenlabs-http":
            settings = ElevenLabsHttpTTSService.Settings(voice=voice)
            return ElevenLabsHttpTTSService(api_key=key, base_url=url, aiohttp_session=http, settings=settings)
        case "openai":
            return OpenAITTSService(api_key=key, base_url=f"{url}/v1", settings=OpenAITTSService.Settings(voice=voice))
    raise ValueError(f"expected a service, found {name}")
