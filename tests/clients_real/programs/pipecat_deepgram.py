"""pipecat's services for Deepgram in a pipeline: python pipecat_deepgram.py URL CASE KEY VOICE SERVICE.

SERVICE is flux, aura or http. What an LLM would say is pushed in tokens; what comes out is counted, turn by turn.
"""

import asyncio
import sys

import aiohttp
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.deepgram.flux.tts import DeepgramFluxTTSService
from pipecat.services.deepgram.tts import DeepgramHttpTTSService, DeepgramTTSService
from pipecat_pipeline import LONG, Errors, Sink, failed, interrupt, run, turn
from server_restart import restart_of


def service(name: str, url: str, key: str, voice: str, http: aiohttp.ClientSession) -> FrameProcessor:
    ws = url.replace("http", "ws", 1)
    if name == "flux":
        settings = DeepgramFluxTTSService.Settings(voice=voice)
        return DeepgramFluxTTSService(api_key=key, url=f"{ws}/v2/speak", settings=settings)
    if name == "aura":
        return DeepgramTTSService(api_key=key, base_url=ws, settings=DeepgramTTSService.Settings(voice=voice))
    settings = DeepgramHttpTTSService.Settings(voice=voice)
    return DeepgramHttpTTSService(api_key=key, base_url=url, aiohttp_session=http, settings=settings)


async def main(url: str, case: str, key: str, voice: str, name: str) -> None:
    async def talk(worker: PipelineWorker, sink: Sink, errors: Errors) -> object:
        if case == "fails":
            return await failed(worker, errors, LONG)
        if case == "interrupts":
            await interrupt(worker, sink)
        told = [await turn(worker, sink, 30)]
        if case == "restarts":
            await restart_of(url)
            await asyncio.sleep(6)  # it connects again after 4 s, and loses what it is asked to say before
        told.append(await turn(worker, sink, 30))
        return [told, errors.texts]

    async with aiohttp.ClientSession() as http:
        await run(service(name, url, key, voice, http), talk)


asyncio.run(main(*sys.argv[1:]))
