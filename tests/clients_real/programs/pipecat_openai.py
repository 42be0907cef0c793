"""pipecat's service for OpenAI in a pipeline: python pipecat_openai.py URL CASE KEY VOICE.

What an LLM would say is pushed in tokens; what comes out is counted, turn by turn.
"""

import asyncio
import sys

from pipecat.pipeline.worker import PipelineWorker
from pipecat.services.openai.tts import OpenAITTSService
from pipecat_pipeline import TEXT, Errors, Sink, failed, interrupt, run, turn


async def main(url: str, case: str, key: str, voice: str) -> None:
    async def talk(worker: PipelineWorker, sink: Sink, errors: Errors) -> object:
        if case == "fails":
            return await failed(worker, errors, TEXT)
        if case == "interrupts":
            await interrupt(worker, sink)
        return [[await turn(worker, sink, 10) for _ in range(2)], errors.texts]

    settings = OpenAITTSService.Settings(voice=voice)
    await run(OpenAITTSService(api_key=key, base_url=f"{url}/v1", settings=settings), talk)


asyncio.run(main(*sys.argv[1:]))
