"""A service of pipecat says a text: python say_pipecat.py URL KEY SERVICE TEXT FILE.

The text comes word by word. The sound is written as a WAV file.
"""

import asyncio
import sys
import wave

import aiohttp
from pipecat.pipeline.worker import PipelineWorker
from pipecat_pipeline import RATE_HZ, Errors, Sink, answer, run
from pipecat_services import service


async def main(url: str, key: str, name: str, text: str, file: str) -> None:
    async def talk(worker: PipelineWorker, sink: Sink, errors: Errors) -> object:
        await answer(worker, text)
        await asyncio.wait_for(sink.stopped.wait(), 30)
        with wave.open(file, "wb") as written:
            written.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
            written.writeframes(sink.sound)
        return RATE_HZ

    async with aiohttp.ClientSession() as http:
        await run(service(name, url, key, "any", http), talk)


asyncio.run(main(*sys.argv[1:]))
