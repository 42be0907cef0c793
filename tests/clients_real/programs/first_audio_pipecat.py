"""How soon pipecat's services give sound: python first_audio_pipecat.py URL KEY SERVICE TURNS.

Prints the milliseconds from the text of each turn, which is pushed at once, to its first sound.
"""

import asyncio
import sys
import time

import aiohttp
from pipecat.pipeline.worker import PipelineWorker
from pipecat_pipeline import TEXT, Errors, Sink, answer, run
from pipecat_services import service


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
        await run(service(name, url, key, "any", http), talk)


asyncio.run(main(*sys.argv[1:]))
