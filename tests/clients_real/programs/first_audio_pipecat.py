"""How soon pipecat's services give sound: python first_audio_pipecat.py URL KEY SERVICE TURNS.

Prints the milliseconds from the text of each turn, which is pushed at once, to its first sound.
"""

import asyncio
import sys
import time

import aiohttp
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.cartesia.tts import CartesiaTTSService
from pipecat.services.deepgram.flux.tts import DeepgramFluxTTSService
from pipecat.services.elevenlabs.tts import ElevenLabsHttpTTSService, ElevenLabsTTSService
from pipecat.services.openai.tts import OpenAITTSService
from pipecat_pipeline import TEXT, Errors, Sink, answer, run

ELEVENLABS_VOICE = "21m00Tcm4TlvDq8ikWAM"
CARTESIA_VOICE = "f786b574-daa5-4673-aa0c-cbe3e8534c02"


def service(name: str, url: str, key: str, http: aiohttp.ClientSession) -> FrameProcessor:
    ws = url.replace("http", "ws", 1)
    match name:
        case "deepgram":
            settings = DeepgramFluxTTSService.Settings(voice="flux-alexis-en")
            return DeepgramFluxTTSService(api_key=key, url=f"{ws}/v2/speak", settings=settings)
        case "openai":
            settings = OpenAITTSService.Settings(voice="alloy")
            return OpenAITTSService(api_key=key, base_url=f"{url}/v1", settings=settings)
        case "elevenlabs":
            settings = ElevenLabsTTSService.Settings(voice=ELEVENLABS_VOICE)
            return ElevenLabsTTSService(api_key=key, url=ws, settings=settings)
        case "cartesia":
            settings = CartesiaTTSService.Settings(voice=CARTESIA_VOICE)
            return CartesiaTTSService(api_key=key, url=f"{ws}/tts/websocket", settings=settings)
        case "elevenlabs-http":
            settings = ElevenLabsHttpTTSService.Settings(voice=ELEVENLABS_VOICE)
            return ElevenLabsHttpTTSService(api_key=key, base_url=url, aiohttp_session=http, settings=settings)
    raise ValueError(f"expected a service, found {name}")


async def main(url: str, key: str, name: str, turns: str) -> None:
    async def talk(worker: PipelineWorker, sink: Sink, errors: Errors) -> object:
        times_ms = []
        for _ in range(int(turns)):
            sink.begin()
            from_s = time.monotonic()
            await answer(worker, TEXT)
            await asyncio.wait_for(sink.sounded.wait(), 20)
            times_ms.append(1000 * (time.monotonic() - from_s))
            await asyncio.wait_for(sink.stopped.wait(), 20)
        return times_ms

    async with aiohttp.ClientSession() as http:
        await run(service(name, url, key, http), talk)


asyncio.run(main(*sys.argv[1:]))
