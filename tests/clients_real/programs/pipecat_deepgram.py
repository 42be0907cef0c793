"""pipecat's services for Deepgram in a pipeline: python pipecat_deepgram.py URL CASE KEY VOICE SERVICE.

SERVICE is flux, aura or http. What an LLM would say is pushed in tokens; what comes out is counted, turn by turn.
"""

import asyncio
import json
import sys

import aiohttp
from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    EndFrame,
    ErrorFrame,
    Frame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    TTSAudioRawFrame,
    TTSStoppedFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.deepgram.flux.tts import DeepgramFluxTTSService
from pipecat.services.deepgram.tts import DeepgramHttpTTSService, DeepgramTTSService
from pipecat.workers.runner import WorkerRunner

TEXT = "one two three four"
LONG = " ".join(["abcdefgh"] * 100) + "."


class Sink(FrameProcessor):
    """Counts what it gets, and plays nothing. `errors` are those of the service, which come upstream."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0
        self.sounded = asyncio.Event()
        self.stopped = asyncio.Event()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, TTSAudioRawFrame):
            if not self.sounded.is_set():
                await self.push_frame(BotStartedSpeakingFrame(), FrameDirection.UPSTREAM)
            self.bytes += len(frame.audio)
            self.sounded.set()
        elif isinstance(frame, TTSStoppedFrame):
            await self.push_frame(BotStoppedSpeakingFrame(), FrameDirection.UPSTREAM)
            self.stopped.set()
        await self.push_frame(frame, direction)

    def begin(self) -> None:
        self.bytes = 0
        self.sounded.clear()
        self.stopped.clear()


class Errors(FrameProcessor):
    """Stands before the service and keeps its errors."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.some = asyncio.Event()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, ErrorFrame):
            self.texts.append(frame.error)
            self.some.set()
        await self.push_frame(frame, direction)


def service(name: str, url: str, key: str, voice: str, http: aiohttp.ClientSession) -> FrameProcessor:
    ws = url.replace("http", "ws", 1)
    if name == "flux":
        settings = DeepgramFluxTTSService.Settings(voice=voice)
        return DeepgramFluxTTSService(api_key=key, url=f"{ws}/v2/speak", settings=settings)
    if name == "aura":
        return DeepgramTTSService(api_key=key, base_url=ws, settings=DeepgramTTSService.Settings(voice=voice))
    settings = DeepgramHttpTTSService.Settings(voice=voice)
    return DeepgramHttpTTSService(api_key=key, base_url=url, aiohttp_session=http, settings=settings)


async def answer(worker: PipelineWorker, text: str) -> None:
    """What an LLM says, token by token."""
    await worker.queue_frame(LLMFullResponseStartFrame())
    for token in text.replace(" ", "\0 ").split("\0"):
        await worker.queue_frame(LLMTextFrame(token))
    await worker.queue_frame(LLMFullResponseEndFrame())


async def restart_of(url: str) -> None:
    """Returns when the server has gone and is back."""
    gone = False
    async with aiohttp.ClientSession() as http:
        while True:
            try:
                async with http.get(f"{url}/v1/live") as response:
                    if gone and response.status == 200:
                        return
            except aiohttp.ClientError:
                gone = True
            await asyncio.sleep(0.05)


async def talk(url: str, case: str, worker: PipelineWorker, sink: Sink, errors: Errors) -> object:
    if case == "fails":
        await answer(worker, LONG)
        await asyncio.wait_for(errors.some.wait(), 10)
        return errors.texts
    told = []
    if case == "interrupts":
        await answer(worker, LONG)
        await asyncio.wait_for(sink.sounded.wait(), 10)
        await worker.queue_frame(InterruptionFrame())
        await asyncio.sleep(0.3)
        await worker.queue_frame(BotStoppedSpeakingFrame())
    for turn in range(2):
        if case == "restarts" and turn:
            await restart_of(url)
            await asyncio.sleep(6)  # it connects again after 4 s, and loses what it is asked to say before
        sink.begin()
        await answer(worker, TEXT)
        await asyncio.wait_for(sink.stopped.wait(), 30)
        told.append(sink.bytes)
    return [told, errors.texts]


async def main(url: str, case: str, key: str, voice: str, name: str) -> None:
    async with aiohttp.ClientSession() as http:
        errors, sink = Errors(), Sink()
        pipeline = Pipeline([errors, service(name, url, key, voice, http), sink])
        worker = PipelineWorker(pipeline, params=PipelineParams(audio_out_sample_rate=24000), idle_timeout_secs=None)
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(worker)
        running = asyncio.create_task(runner.run())
        told = await talk(url, case, worker, sink, errors)
        await worker.queue_frame(EndFrame())
        try:
            await asyncio.wait_for(running, 10)
        finally:
            print(json.dumps(told))


asyncio.run(main(*sys.argv[1:]))
