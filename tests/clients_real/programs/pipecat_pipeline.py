"""What the programs with pipecat share: a pipeline around a service, what an LLM would say, and what is heard."""

import asyncio
import json
from collections.abc import Awaitable, Callable

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
    TTSTextFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.workers.runner import WorkerRunner

RATE_HZ = 24000
TEXT = "one two three four"
LONG = " ".join(["abcdefgh"] * 100) + "."


class Sink(FrameProcessor):
    """Keeps the sound of a turn and all words, and plays nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.sound = bytearray()
        self.sounded = asyncio.Event()
        self.stopped = asyncio.Event()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, TTSAudioRawFrame):
            if not self.sounded.is_set():
                await self.push_frame(BotStartedSpeakingFrame(), FrameDirection.UPSTREAM)
            self.sound += frame.audio
            self.sounded.set()
        elif isinstance(frame, TTSTextFrame):
            self.words.append(frame.text.strip())
        elif isinstance(frame, TTSStoppedFrame):
            await self.push_frame(BotStoppedSpeakingFrame(), FrameDirection.UPSTREAM)
            self.stopped.set()
        await self.push_frame(frame, direction)

    def begin(self) -> None:
        self.sound.clear()
        self.sounded.clear()
        self.stopped.clear()


class Errors(FrameProcessor):
    """Stands before the service and keeps its errors, which come upstream."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.categories: list[str] = []
        self.some = asyncio.Event()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, ErrorFrame):
            self.texts.append(frame.error)
            self.categories.append(frame.category.value if frame.category else "")
            self.some.set()
        await self.push_frame(frame, direction)


async def answer(worker: PipelineWorker, text: str, pause_s: float = 0.0) -> None:
    """What an LLM says, token by token; it may pause before the last one."""
    await worker.queue_frame(LLMFullResponseStartFrame())
    *tokens, last = text.replace(" ", "\0 ").split("\0")
    for token in tokens:
        await worker.queue_frame(LLMTextFrame(token))
    await asyncio.sleep(pause_s)
    await worker.queue_frame(LLMTextFrame(last))
    await worker.queue_frame(LLMFullResponseEndFrame())


async def interrupt(worker: PipelineWorker, begun: asyncio.Event) -> None:
    """The user speaks when a long answer has begun."""
    await answer(worker, LONG)
    await asyncio.wait_for(begun.wait(), 10)
    await worker.queue_frame(InterruptionFrame())
    await asyncio.sleep(0.3)
    await worker.queue_frame(BotStoppedSpeakingFrame())


async def failed(worker: PipelineWorker, errors: Errors, text: str) -> list[str]:
    """The errors of the service when it is asked to say this."""
    await answer(worker, text)
    await asyncio.wait_for(errors.some.wait(), 10)
    return errors.texts


async def turn(worker: PipelineWorker, sink: Sink, timeout_s: float, pause_s: float = 0.0) -> int:
    """The bytes of one answer, up to the end of its context."""
    sink.begin()
    await answer(worker, TEXT, pause_s)
    await asyncio.wait_for(sink.stopped.wait(), timeout_s)
    return len(sink.sound)


async def run(service: FrameProcessor, talk: Callable[[PipelineWorker, Sink, Errors], Awaitable[object]]) -> None:
    """Runs the pipeline while `talk` does, and prints what `talk` returns."""
    errors, sink = Errors(), Sink()
    pipeline = Pipeline([errors, service, sink])
    worker = PipelineWorker(pipeline, params=PipelineParams(audio_out_sample_rate=RATE_HZ), idle_timeout_secs=None)
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    try:
        told = await talk(worker, sink, errors)
    except Exception as error:
        await worker.cancel()  # else the pipeline goes on, and the program never ends
        raise SystemExit(f"{error!r}; errors of the service: {errors.texts}") from error
    await worker.queue_frame(EndFrame())
    try:
        await asyncio.wait_for(running, 10)
    finally:
        print(json.dumps(told))
