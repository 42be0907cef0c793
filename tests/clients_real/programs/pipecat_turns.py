"""A service in a pipeline of pipecat: python pipecat_turns.py URL CASE KEY VOICE SERVICE.

What an LLM would say is pushed in tokens. The program tells the bytes of sound of each turn, the errors, and the words
that pipecat believes to be heard.
"""

import asyncio
import sys

import aiohttp
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.frame_processor import FrameProcessor
from pipecat_pipeline import LONG, Errors, Sink, failed, interrupt, run, turn
from pipecat_services import service
from server_restart import restart_of

# pipecat's own services with a socket. After a restart they connect again some seconds later, and lose what they are
# asked to say before.
CONNECT_LATE = {"deepgram-flux", "deepgram-aura", "cartesia", "elevenlabs"}
# It gives no sound before it has the whole answer: it is interrupted when the answer has begun.
TAKES_WHOLE_ANSWERS = "cartesia-http"


# After so long without text pipecat's own services end a turn, and some more.
PAUSE_S = 3.0 + 2.0


class Connected(asyncio.Event):
    """Set while the service has a connection, as it tells itself."""

    def __init__(self, service: FrameProcessor) -> None:
        super().__init__()
        service.add_event_handler("on_connected", self._connected)
        service.add_event_handler("on_disconnected", self._disconnected)

    async def _connected(self, _service: FrameProcessor) -> None:
        self.set()

    async def _disconnected(self, _service: FrameProcessor) -> None:
        self.clear()


async def main(url: str, case: str, key: str, voice: str, name: str) -> None:
    answered = asyncio.Event()

    async def note(*_: object) -> None:
        answered.set()

    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(note)  # the headers of an answer have come
    async with aiohttp.ClientSession(trace_configs=[trace]) as http:
        speaking = service(name, url, key, voice, http)
        connected = Connected(speaking)

        async def talk(worker: PipelineWorker, sink: Sink, errors: Errors) -> object:
            if case == "fails":
                await failed(worker, errors, LONG)
                return {"errors": errors.texts, "categories": errors.categories}
            if case == "interrupts":
                await interrupt(worker, answered if name == TAKES_WHOLE_ANSWERS else sink.sounded)
            turns = [await turn(worker, sink, 30, PAUSE_S if case == "pauses" else 0.0)]
            if case == "restarts":
                connected.clear()
                await restart_of(url)
                if name in CONNECT_LATE:
                    await asyncio.wait_for(connected.wait(), 30)
            turns.append(await turn(worker, sink, 30))
            return {"turns": turns, "errors": errors.texts, "words": sink.words}

        await run(speaking, talk)


asyncio.run(main(*sys.argv[1:]))
