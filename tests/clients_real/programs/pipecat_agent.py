"""A whole agent of pipecat that is interrupted in mid-sentence: python pipecat_agent.py URL KEY SERVICE TEXT SECONDS.

A model that writes TEXT token by token, a service, a transport that plays in real time, and the context of the
conversation. The user interrupts after SECONDS of sound. The program tells how much sound was played, and what the
context says that the assistant said.
"""

import asyncio
import json
import re
import sys
from typing import Any

import aiohttp
from pipecat.frames.frames import (
    EndFrame,
    Frame,
    InterruptionFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    OutputAudioRawFrame,
    StartFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.workers.runner import WorkerRunner
from pipecat_services import service
from real_time import RealTime


class Model(FrameProcessor):
    """Answers every request with the same text, a token each 20 ms."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._tokens = re.findall(r"\s*\S[^\s\u4e00-\u9fff]*", text)
        self._answering: asyncio.Task[None] | None = None

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, InterruptionFrame) and self._answering is not None:
            await self.cancel_task(self._answering)
        if isinstance(frame, LLMContextFrame):
            self._answering = self.create_task(self._answer())
        else:
            await self.push_frame(frame, direction)

    async def _answer(self) -> None:
        await self.push_frame(LLMFullResponseStartFrame())
        for token in self._tokens:
            await self.push_frame(LLMTextFrame(token))
            await asyncio.sleep(0.02)
        await self.push_frame(LLMFullResponseEndFrame())


class Loudspeaker(BaseOutputTransport):
    """Plays in real time. `enough` is set after so much sound."""

    def __init__(self, enough_ms: float) -> None:
        super().__init__(TransportParams(audio_out_enabled=True))
        self.enough = asyncio.Event()
        self.clock = RealTime()
        self._enough_ms = enough_ms

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        await self.clock.play(frame.num_frames / frame.sample_rate)
        if self.clock.played_ms >= self._enough_ms:
            self.enough.set()
        return True


def said(context: LLMContext) -> str:
    """What the assistant has said, as the context has it."""
    return " ".join(m["content"] for m in context.get_messages() if m["role"] == "assistant")


async def main(url: str, key: str, name: str, text: str, seconds: str) -> None:
    cancelled: list[Any] = []
    async with aiohttp.ClientSession() as http:
        tts, loudspeaker = service(name, url, key, "any", http), Loudspeaker(1000 * float(seconds))
        if name.startswith("rtserver"):
            tts.add_event_handler("on_speech_cancelled", lambda _tts, _id, what: cancelled.append(what))
        context = LLMContext()
        aggregators = LLMContextAggregatorPair(context)
        pipeline = Pipeline([aggregators.user(), Model(text), tts, loudspeaker, aggregators.assistant()])
        worker = PipelineWorker(pipeline, params=PipelineParams(audio_out_sample_rate=24000), idle_timeout_secs=None)
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(worker)
        running = asyncio.create_task(runner.run())
        context.add_message({"role": "user", "content": "Go on."})
        await worker.queue_frame(LLMContextFrame(context))
        await asyncio.wait_for(loudspeaker.enough.wait(), 20)
        await worker.queue_frame(InterruptionFrame())
        for _ in range(2000):
            if said(context) and (cancelled or not name.startswith("rtserver")):
                break
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.7)  # nothing may come after that
        told = {
            "played_ms": loudspeaker.clock.played_ms,
            "stalled_ms": loudspeaker.clock.stalled_ms,
            "context": said(context),
            "cancelled": [vars(each) for each in cancelled],
        }
        await worker.queue_frame(EndFrame())
        await asyncio.wait_for(running, 10)
    print(json.dumps(told))


asyncio.run(main(*sys.argv[1:]))
