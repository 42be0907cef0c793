"""A service in a pipeline of pipecat: python pipecat_turns.py URL CASE KEY VOICE SERVICE.

What an LLM would say is pushed in tokens. The program tells the bytes of sound of each turn, the errors, and the words
that pipecat believes to be heard.
"""

import asyncio
import sys

import aiohttp
from pipecat.pipeline.worker import PipelineWorker
from pipecat_pipeline import LONG, Errors, Sink, failed, interrupt, run, turn
from pipecat_services import service
from server_restart import restart_of

# After a restart, services of pipecat itself connect again after 4 s, and lose what they are asked to say before.
SLOW_S = 6


async def main(url: str, case: str, key: str, voice: str, name: str) -> None:
    async def talk(worker: PipelineWorker, sink: Sink, errors: Errors) -> object:
        if case == "fails":
            await failed(worker, errors, LONG)
            return {"errors": errors.texts}
        if case == "interrupts":
            await interrupt(worker, sink)
        turns = [await turn(worker, sink, 30)]
        if case == "restarts":
            await restart_of(url)
            await asyncio.sleep(0 if name.startswith("rtserver") else SLOW_S)
        turns.append(await turn(worker, sink, 30))
        return {"turns": turns, "errors": errors.texts, "words": sink.words}

    async with aiohttp.ClientSession() as http:
        await run(service(name, url, key, voice, http), talk)


asyncio.run(main(*sys.argv[1:]))
