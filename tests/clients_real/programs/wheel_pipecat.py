"""Our service of pipecat in a pipeline: wheel_pipecat.py URL. Tells where it is installed, and what it heard."""

import asyncio
import sys

import pipecat_rtserver
from pipecat.pipeline.worker import PipelineWorker
from pipecat_pipeline import Errors, Sink, run, turn


async def talk(worker: PipelineWorker, sink: Sink, errors: Errors) -> object:
    sizes = [await turn(worker, sink, 30) for _ in range(2)]
    return {"file": pipecat_rtserver.__file__, "bytes": sizes, "errors": errors.texts}


asyncio.run(run(pipecat_rtserver.RTServerTTSService(url=sys.argv[1]), talk))
