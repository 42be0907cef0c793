"""pipecat's services for ElevenLabs in a pipeline: python pipecat_elevenlabs.py URL CASE KEY VOICE SERVICE.

SERVICE is sentences, tokens (both on a socket) or http. What an LLM would say is pushed in tokens; what comes out is
counted, turn by turn, with the words that pipecat believes to be heard.
"""

import asyncio
import sys

import aiohttp
from pipecat.frames.frames import Frame, TTSTextFrame
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.elevenlabs.tts import ElevenLabsHttpTTSService, ElevenLabsTTSService
from pipecat.services.tts_service import TextAggregationMode
from pipecat_pipeline import LONG, Errors, Sink, failed, interrupt, run, turn
from server_restart import restart_of

WORDS: list[str] = []


class NotingSocket(ElevenLabsTTSService):
    """Keeps the words that are pushed as heard."""

    async def push_frame(self, frame: Frame, direction: FrameDirection = FrameDirection.DOWNSTREAM) -> None:
        if isinstance(frame, TTSTextFrame):
            WORDS.append(frame.text)
        await super().push_frame(frame, direction)


class NotingHttp(ElevenLabsHttpTTSService):
    """The same over HTTP."""

    async def push_frame(self, frame: Frame, direction: FrameDirection = FrameDirection.DOWNSTREAM) -> None:
        if isinstance(frame, TTSTextFrame):
            WORDS.append(frame.text)
        await super().push_frame(frame, direction)


def service(name: str, url: str, key: str, voice: str, http: aiohttp.ClientSession) -> FrameProcessor:
    if name == "http":
        settings = ElevenLabsHttpTTSService.Settings(voice=voice)
        return NotingHttp(api_key=key, base_url=url, aiohttp_session=http, settings=settings)
    mode = TextAggregationMode.TOKEN if name == "tokens" else TextAggregationMode.SENTENCE
    settings = ElevenLabsTTSService.Settings(voice=voice)
    ws = url.replace("http", "ws", 1)
    return NotingSocket(api_key=key, url=ws, settings=settings, text_aggregation_mode=mode)


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
        return [told, errors.texts, WORDS]

    async with aiohttp.ClientSession() as http:
        await run(service(name, url, key, voice, http), talk)


asyncio.run(main(*sys.argv[1:]))
