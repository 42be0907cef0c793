"""pipecat's services for Cartesia in a pipeline: python pipecat_cartesia.py URL CASE KEY VOICE SERVICE.

SERVICE is sentences, tokens (how text goes into the socket) or http. What an LLM would say is pushed in tokens; what
comes out is counted, turn by turn.
"""

import asyncio
import sys

import aiohttp
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.cartesia.tts import CartesiaHttpTTSService, CartesiaTTSService
from pipecat.services.tts_service import TextAggregationMode
from pipecat_pipeline import LONG, Errors, Sink, failed, interrupt, run, turn
from server_restart import restart_of


def service(name: str, url: str, key: str, voice: str, http: aiohttp.ClientSession) -> FrameProcessor:
    if name == "http":
        settings = CartesiaHttpTTSService.Settings(voice=voice)
        return CartesiaHttpTTSService(api_key=key, base_url=url, aiohttp_session=http, settings=settings)
    ws = url.replace("http", "ws", 1) + "/tts/websocket"
    mode = TextAggregationMode.TOKEN if name == "tokens" else TextAggregationMode.SENTENCE
    settings = CartesiaTTSService.Settings(voice=voice)
    return CartesiaTTSService(api_key=key, url=ws, settings=settings, text_aggregation_mode=mode)


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
