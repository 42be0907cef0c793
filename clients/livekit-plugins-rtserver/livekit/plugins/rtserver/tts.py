"""LiveKit's text-to-speech on the native wire: tokens in, sound and word times out, on one connection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, Literal

from livekit.agents import AgentSession, APIConnectOptions, APITimeoutError, tts, utils
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, TimedString
from livekit.agents.voice.io import PlaybackFinishedEvent, PlaybackStartedEvent
from livekit.plugins.rtserver.errors import api_error
from livekit.plugins.rtserver.heard import HeardOutput
from livekit.plugins.rtserver.lowering import Lowering
from livekit.plugins.rtserver.markup import Markup

from rtclient import Cancelled, ClientError, Reconnecting, ServerError, Speech, Words


class TTS(tts.TTS[Literal["speech_cancelled"]]):
    """Speaks with the realtime speech server.

    The event `speech_cancelled` tells what the server knows of an interrupted speech: a `rtclient.Cancelled` with
    `text_heard`, `heard_ms` and more.
    """

    Markup = Markup

    def __init__(
        self,
        *,
        url: str = "ws://127.0.0.1:8790",
        api_key: str | None = None,
        reserve: float | None = None,
        voice: str = "default",
        language: str = "auto",
        sample_rate: int = 24000,
        **options: Any,
    ) -> None:
        """Makes the plugin. It connects with `prewarm`, or when it first speaks.

        url: of the server; http, https, ws or wss.
        reserve: the share of the time (0.05 to 1) in which this conversation speaks. The server keeps a place for it.
        options: what else `rtclient` can ask for a speech: `speed`, `seed`, `mode`, `instruct_text`, `lexicon`,
            `prompt_audio` and so on.
        """
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=True, aligned_transcript=True),
            sample_rate=sample_rate,
            num_channels=1,
        )
        self._connection = Reconnecting(url, api_key=api_key, reserve=reserve)
        self._options: dict[str, Any] = {"voice": voice, "language": language, **options}
        self._speech: Speech | None = None  # the one that was begun last
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def model(self) -> str:
        """The voice: the server has one model."""
        return str(self._options["voice"])

    @property
    def provider(self) -> str:
        """The server's name."""
        return "rtserver"

    def update_options(self, **options: Any) -> None:
        """Changes `voice`, `language`, `speed` and so on, from the next speech on."""
        self._options |= options

    def prewarm(self) -> None:
        """Connects in the background. If that fails, the first speech tries again and tells why."""
        self._start(self._connect())

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        """Speaks a whole text."""
        return WholeText(tts=self, input_text=text, conn_options=conn_options)

    def stream(self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS) -> tts.SynthesizeStream:
        """Speaks text while it comes."""
        return TextInPieces(tts=self, conn_options=conn_options)

    async def aclose(self) -> None:
        """Closes the connection."""
        await utils.aio.cancel_and_wait(*self._tasks)
        await self._connection.close()

    def follow(self, session: AgentSession[Any]) -> None:
        """Makes exact what was heard of an interrupted speech: the context ends with the last word that began to sound,
        and the server learns how much was played. Without it LiveKit's estimate counts, and for the server the time
        since it sent the first sound. Call it after `session.start`."""
        if session.output.audio is not None:
            output = session.output.audio = HeardOutput(session.output.audio)
            output.on("playback_started", self._on_playback_started)
            output.on("playback_finished", self._on_playback_finished)

    # -- for the streams ----------------------------------------------------------------------------------------------

    async def say(self, text: str | AsyncIterator[str], emitter: tts.AudioEmitter, timeout_s: float) -> None:
        """Speaks into the emitter. Raises APIError. Cancels the speech when it is left early."""
        try:
            async with asyncio.timeout(timeout_s):
                session = await self._connection.session()
        except TimeoutError:
            raise APITimeoutError from None
        except ClientError as error:
            raise api_error(error) from error
        speech = self._speech = session.speak(text, sample_rate=self.sample_rate, **self._options)
        try:
            await _pass_on(speech, emitter)
        except ClientError as error:
            if isinstance(error, ServerError) and error.code == "shutting_down":
                self._connection.leave(session)
            raise api_error(error) from error
        finally:
            if speech.cancelled is not None:
                self._tell(speech.cancelled)

    def _tell(self, cancelled: Cancelled) -> None:
        self.emit("speech_cancelled", cancelled)

    def _on_playback_started(self, event: PlaybackStartedEvent) -> None:
        self._report(time.time() - event.created_at)

    def _on_playback_finished(self, event: PlaybackFinishedEvent) -> None:
        if event.interrupted:  # the framework cancels the speech after this
            self._report(event.playback_position)

    def _report(self, heard_s: float) -> None:
        if self._speech is not None:
            self._start(_report(self._speech, 1000 * max(0.0, heard_s)))

    async def _connect(self) -> None:
        try:
            await self._connection.session()
        except ClientError:
            return

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _report(speech: Speech, heard_ms: float) -> None:
    try:
        await speech.played(heard_ms)
    except ClientError:
        return  # the speech tells it itself


async def _pass_on(speech: Speech, emitter: tts.AudioEmitter) -> None:
    words = Words(speech)
    async for audio in speech:
        emitter.push_timed_transcript(_timed(words))
        emitter.push(audio.pcm)
    emitter.push_timed_transcript(_timed(words))


def _timed(words: Words) -> list[TimedString]:
    return [TimedString(word, mark.start_ms / 1000, mark.end_ms / 1000) for word, mark in words.take()]


class WholeText(tts.ChunkedStream):
    """One whole text."""

    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        output_emitter.initialize(
            request_id=utils.shortuuid(), sample_rate=self._tts.sample_rate, num_channels=1, mime_type="audio/pcm"
        )
        assert isinstance(self._tts, TTS)
        await self._tts.say(self._tts.markup.convert(self._input_text), output_emitter, self._conn_options.timeout)


class TextInPieces(tts.SynthesizeStream):
    """One turn of an agent."""

    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        request = utils.shortuuid()
        output_emitter.initialize(
            request_id=request,
            sample_rate=self._tts.sample_rate,
            num_channels=1,
            mime_type="audio/pcm",
            stream=True,
        )
        pieces = self._pieces()
        # A speech takes a place at the server, so it begins with its first text.
        first = await anext(pieces, None)
        if first is None:
            return
        output_emitter.start_segment(segment_id=request)
        assert isinstance(self._tts, TTS)
        await self._tts.say(_joined(first, pieces), output_emitter, self._conn_options.timeout)
        output_emitter.end_segment()

    async def _pieces(self) -> AsyncIterator[str]:
        lowering = Lowering()
        async for data in self._input_ch:
            if isinstance(data, str) and (text := lowering.feed(data)):
                self._mark_started()
                yield text
        if rest := lowering.end():
            yield rest


async def _joined(first: str, rest: AsyncIterator[str]) -> AsyncIterator[str]:
    yield first
    async for piece in rest:
        yield piece
