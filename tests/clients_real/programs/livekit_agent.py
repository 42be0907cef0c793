"""A whole agent session of LiveKit that is interrupted in mid-sentence:

python livekit_agent.py URL KEY PLUGIN TEXT SECONDS.

A model that writes TEXT token by token, a plugin, an output that plays in real time, and the context of the
conversation. The user interrupts after SECONDS of sound. The program tells how much sound was played, what the context
says that the assistant said, and whether the framework taught the model markup. `rtserver-expressive` is our plugin in
the framework's expressive mode.
"""

import asyncio
import json
import re
import sys
import time
from typing import Any

import aiohttp
from livekit import rtc
from livekit.agents import Agent, AgentSession, llm
from livekit.agents.tokenize.basic import hyphenate_word
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS
from livekit.agents.voice.io import AudioOutput, AudioOutputCapabilities, TextOutput
from livekit.agents.voice.transcription.synchronizer import TranscriptSynchronizer
from livekit.plugins import rtserver
from livekit_plugins import plugin
from real_time import RealTime

INSTRUCTIONS = "You control speech delivery with a single XML marker tag"


class Model(llm.LLM):
    """Answers every request with the same text, a token each 20 ms."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tokens = re.findall(r"\s*\S[^\s\u4e00-\u9fff]*", text)
        self.taught = False

    def chat(self, *, chat_ctx: Any, tools: Any = None, conn_options: Any = None, **_: Any) -> llm.LLMStream:
        self.taught = INSTRUCTIONS in str(chat_ctx.to_dict())
        return Answer(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=DEFAULT_API_CONNECT_OPTIONS)


class Answer(llm.LLMStream):
    """One answer."""

    async def _run(self) -> None:
        for token in self._llm.tokens:
            delta = llm.ChoiceDelta(role="assistant", content=token)
            self._event_ch.send_nowait(llm.ChatChunk(id="answer", delta=delta))
            await asyncio.sleep(0.02)


class Loudspeaker(AudioOutput):
    """Plays in real time. `enough` is set after so much sound."""

    def __init__(self, enough_ms: float) -> None:
        super().__init__(label="loudspeaker", capabilities=AudioOutputCapabilities(pause=False))
        self.clock = RealTime()
        self.enough = asyncio.Event()
        self._enough_ms = enough_ms
        self._frames: asyncio.Queue[rtc.AudioFrame | None] = asyncio.Queue()  # None: the end of a segment
        self._segment_ms = 0.0
        self._playing = asyncio.create_task(self._play())

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        self._frames.put_nowait(frame)

    def flush(self) -> None:
        super().flush()
        self._frames.put_nowait(None)

    def clear_buffer(self) -> None:
        self._playing.cancel()
        self._frames = asyncio.Queue()
        self._finish(interrupted=True)
        self._playing = asyncio.create_task(self._play())

    def _finish(self, interrupted: bool) -> None:
        self.on_playback_finished(playback_position=self._segment_ms / 1000, interrupted=interrupted)
        self._segment_ms = 0.0

    async def _play(self) -> None:
        while True:
            frame = await self._frames.get()
            if frame is None:
                self._finish(interrupted=False)
                continue
            if not self._segment_ms:
                self.on_playback_started(created_at=time.time())
            for _ in range(int(frame.duration * 100)):
                await self.clock.play(0.01)
                self._segment_ms += 10
                if self.clock.played_ms >= self._enough_ms:
                    self.enough.set()


class Subtitles(TextOutput):
    """Shows the text; here nobody reads it."""

    def __init__(self) -> None:
        super().__init__(label="subtitles", next_in_chain=None)

    async def capture_text(self, text: str) -> None:
        pass

    def flush(self) -> None:
        pass


async def main(url: str, key: str, name: str, text: str, seconds: str) -> None:
    cancelled: list[Any] = []
    hyphenate_word("loads")  # the synchronizer loads a dictionary with its first word, and stands still meanwhile
    async with aiohttp.ClientSession() as http:
        expressive = name == "rtserver-expressive"
        tts = plugin("rtserver" if expressive else name, url, key, "any", http)
        loudspeaker, model = Loudspeaker(1000 * float(seconds)), Model(text)
        session: AgentSession[Any] = AgentSession(
            llm=model,
            tts=rtserver.ExpressiveTTS(tts) if expressive else tts,
            expressive=expressive,
            use_tts_aligned_transcript=True,
        )
        together = TranscriptSynchronizer(next_in_chain_audio=loudspeaker, next_in_chain_text=Subtitles())
        session.output.audio, session.output.transcription = together.audio_output, together.text_output
        await session.start(Agent(instructions="Go on."))
        if name.startswith("rtserver"):
            tts.on("speech_cancelled", cancelled.append)
            tts.follow(session)
        reply = session.generate_reply(user_input="Go on.")
        await asyncio.wait_for(loudspeaker.enough.wait(), 20)
        await session.interrupt()
        await reply
        said = [item.text_content for item in session.history.items if getattr(item, "role", "") == "assistant"]
        told = {
            "played_ms": loudspeaker.clock.played_ms,
            "stalled_ms": loudspeaker.clock.stalled_ms,
            "taught": model.taught,
            "context": " ".join(filter(None, said)),
            "cancelled": [vars(each) for each in cancelled],
        }
        await session.aclose()
        await tts.aclose()
    print(json.dumps(told))


asyncio.run(main(*sys.argv[1:]))
