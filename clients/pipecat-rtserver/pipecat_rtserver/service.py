"""pipecat's text-to-speech service on the native wire: tokens in, sound and word times out, on one connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    CancelFrame,
    EndFrame,
    Frame,
    StartFrame,
    TTSAudioRawFrame,
    TTSStoppedFrame,
    TTSTextFrame,
)
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.settings import TTSSettings
from pipecat.services.tts_service import TextAggregationMode, TTSService
from pipecat.transcriptions.language import Language
from pipecat.utils.types import NOT_GIVEN, NotGiven

from pipecat_rtserver.errors import category_of
from pipecat_rtserver.playback import Playback
from pipecat_rtserver.turn import Delay, Spacing, Turn
from rtclient import ClientError, ConnectionLost, Reconnecting, ServerError, Session, Speech, Words


@dataclass
class RTServerTTSSettings(TTSSettings):
    """What can be changed while the service runs. A change counts from the next turn on."""

    # 0.5 to 2.
    speed: float | NotGiven = field(default_factory=lambda: NOT_GIVEN)
    # How to speak, for modes that take it.
    instruct_text: str | NotGiven = field(default_factory=lambda: NOT_GIVEN)
    # One of the model's modes.
    mode: str | NotGiven = field(default_factory=lambda: NOT_GIVEN)
    # The same seed gives the same speech. None: random.
    seed: int | NotGiven | None = field(default_factory=lambda: NOT_GIVEN)


class RTServerTTSService(TTSService):
    """Speaks with the realtime speech server.

    The context of the conversation keeps the words that were heard: each is pushed at the time at which it sounds.
    The event `on_speech_cancelled(service, context_id, cancelled)` tells what the server knows of an interrupted
    speech: `cancelled.text_heard`, `cancelled.heard_ms` and more.
    """

    Settings = RTServerTTSSettings
    _settings: RTServerTTSSettings

    def __init__(
        self,
        *,
        url: str = "ws://127.0.0.1:8790",
        api_key: str | None = None,
        reserve: float | None = None,
        settings: RTServerTTSSettings | None = None,
        text_aggregation_mode: TextAggregationMode = TextAggregationMode.TOKEN,
        lexicon: Sequence[Mapping[str, Any]] = (),
        prompt_audio: bytes | None = None,
        prompt_text: str = "",
        **kwargs: Any,
    ) -> None:
        """Makes the service. It connects when the pipeline starts.

        url: of the server; http, https, ws or wss.
        reserve: the share of the time (0.05 to 1) in which this conversation speaks. The server keeps a place for it.
        text_aggregation_mode: TOKEN sends the text as it comes. The server starts to speak after a few words.
        lexicon: how some words are spoken, as in `rtclient`.
        prompt_audio, prompt_text: a recording whose voice is used, and what it says.
        """
        every = RTServerTTSSettings(
            model=None, voice="default", language=None, speed=1.0, instruct_text="", mode="sft", seed=None
        )
        if settings is not None:
            every.apply_update(settings)
        super().__init__(
            settings=every,
            text_aggregation_mode=text_aggregation_mode,
            push_text_frames=False,  # words are pushed when they are heard
            push_start_frame=True,
            append_trailing_space=True,
            # The server always says how a turn ends. Until then a pause is the LLM's.
            stop_frame_timeout_s=kwargs.pop("stop_frame_timeout_s", 60.0),
            **kwargs,
        )
        self._connection = Reconnecting(url, api_key=api_key, reserve=reserve)
        self._lexicon = lexicon
        self._prompt_audio = prompt_audio
        self._prompt_text = prompt_text
        self._turns: dict[str, Turn] = {}
        # The turn that failed last: what the LLM still says in it is dropped.
        self._failed = ""
        self._spacing: dict[str, Spacing] = {}
        self._playback = Playback()
        self._tasks: set[asyncio.Task[None]] = set()
        self._register_event_handler("on_speech_cancelled")

    @property
    def supports_processing_metrics(self) -> bool:
        """False: `run_tts` only hands the text on."""
        return False

    def can_generate_metrics(self) -> bool:
        """True."""
        return True

    def language_to_service_language(self, language: Language) -> str | None:
        """The language without its region: the server knows `en`, `zh` and so on."""
        return str(language.value).split("-")[0]

    # -- the life of the service --------------------------------------------------------------------------------------

    async def start(self, frame: StartFrame) -> None:
        """Connects, so that the first turn does not wait for it."""
        await super().start(frame)
        self._run_beside(self._connect(), "connect")

    async def stop(self, frame: EndFrame) -> None:
        """Plays what is left, then closes the connection."""
        await super().stop(frame)
        await self._leave()

    async def cancel(self, frame: CancelFrame) -> None:
        """Closes the connection at once."""
        await super().cancel(frame)
        await self._leave()

    async def cleanup(self) -> None:
        """Closes the connection."""
        await super().cleanup()
        await self._leave()

    async def _connect(self) -> None:
        try:
            await self._connection.session()
        except ClientError as error:
            await self._report(error)
        else:
            await self._call_event_handler("on_connected")

    async def _leave(self) -> None:
        for task in list(self._tasks):
            await self.cancel_task(task)
        await self._connection.close()

    def _run_beside(self, work: Any, name: str) -> None:
        task = self.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _report(self, error: ClientError) -> None:
        if isinstance(error, ConnectionLost):
            await self._call_event_handler("on_connection_error", str(error))
        await self.push_error(str(error), exception=error, category=category_of(error))

    # -- text in ------------------------------------------------------------------------------------------------------

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        """Sends a piece of text. The sound comes by itself."""
        if context_id == self._failed:
            yield None
            return
        turn = self._turns.get(context_id)
        if turn is None:
            turn = self._turns[context_id] = Turn()
            self._spacing[context_id] = Spacing()
            self._run_beside(self._speak(context_id, turn), f"speak {context_id}")
        turn.write(text)
        await self.start_tts_usage_metrics(text)
        yield None

    async def flush_audio(self, context_id: str | None = None) -> None:
        """The turn has no more text. pipecat opens the context of a turn that has failed again for each frame of the
        rest, and waits for its end."""
        context_id = context_id or self.get_active_audio_context_id() or ""
        turn = self._turns.get(context_id)
        if turn is not None:
            turn.end()
        else:
            await self._close_context(context_id)

    # -- sound out ----------------------------------------------------------------------------------------------------

    async def _speak(self, context_id: str, turn: Turn) -> None:
        try:
            await self._say(context_id, turn)
        except ClientError as error:
            self._failed = context_id
            if not turn.interrupted:
                await self._report(error)
        finally:
            self._turns.pop(context_id, None)
        if not turn.interrupted:
            await self._close_context(context_id)

    async def _close_context(self, context_id: str) -> None:
        if self.audio_context_available(context_id):
            await self.append_to_audio_context(context_id, TTSStoppedFrame(context_id=context_id))
            await self.remove_audio_context(context_id)

    async def _say(self, context_id: str, turn: Turn) -> None:
        """Says the turn. When the server stops before anything sounded, says it again on a new connection."""
        session = await self._connection.session()
        turn.speech = self._speech(session, turn)
        try:
            await self._pass_on(context_id, turn.speech)
        except ClientError as error:
            if turn.speech.marks or turn.interrupted or not _server_went(error):
                raise
            self._connection.leave(session)
            turn.speech = self._speech(await self._connection.session(), turn)
            await self._pass_on(context_id, turn.speech)

    def _speech(self, session: Session, turn: Turn) -> Speech:
        settings: Any = self._settings
        return session.speak(
            turn.pieces(),
            voice=settings.voice or "default",
            language=settings.language or "auto",
            speed=settings.speed,
            sample_rate=self.sample_rate,
            seed=settings.seed,
            mode=settings.mode,
            instruct_text=settings.instruct_text,
            prompt_audio=self._prompt_audio,
            prompt_text=self._prompt_text,
            lexicon=self._lexicon,
        )

    async def _pass_on(self, context_id: str, speech: Speech) -> None:
        words, delay = Words(speech), Delay()
        async for audio in speech:
            delay.sound(audio.start_ms, asyncio.get_running_loop().time())
            await self._pass_words(words, delay, context_id)
            frame = TTSAudioRawFrame(audio.pcm, self.sample_rate, 1, context_id=context_id)
            await self.append_to_audio_context(context_id, frame)
        await self._pass_words(words, delay, context_id)  # a last word without sound comes after the sound

    async def _pass_words(self, words: Words, delay: Delay, context_id: str) -> None:
        if self.audio_context_available(context_id):
            new = words.take()
            self._spacing[context_id].add(word for word, _ in new)
            times = [(mark.text, mark.start_ms / 1000 + delay.so_far_s) for _, mark in new]
            await self.add_word_timestamps(times, context_id, includes_inter_frame_spaces=True)

    # -- interruption -------------------------------------------------------------------------------------------------

    async def on_audio_context_interrupted(self, context_id: str) -> None:
        """Cancels the speech. The frames do not wait for the server's answer."""
        await self.stop_all_metrics()
        self._spacing.pop(context_id, None)
        turn = self._turns.pop(context_id, None)
        if turn is not None:
            turn.interrupted = True
            self._run_beside(self._cancel_speech(context_id, turn, self._heard_ms(context_id)), f"cancel {context_id}")
        await super().on_audio_context_interrupted(context_id)

    async def _cancel_speech(self, context_id: str, turn: Turn, heard_ms: float | None) -> None:
        turn.end()
        if turn.speech is None:
            return
        try:
            if heard_ms is not None:
                await turn.speech.played(heard_ms)
            cancelled = await turn.speech.cancel()
        except ClientError:
            return  # the speech failed, so there is nothing to stop
        if cancelled is not None:
            await self._call_event_handler("on_speech_cancelled", context_id, cancelled)

    async def on_audio_context_completed(self, context_id: str) -> None:
        """All of it was passed on."""
        self._spacing.pop(context_id, None)
        await super().on_audio_context_completed(context_id)

    # -- playback -----------------------------------------------------------------------------------------------------

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Notes when the transport begins and ends to play."""
        if isinstance(frame, BotStartedSpeakingFrame):
            self._playback.began(asyncio.get_running_loop().time())
            self._run_beside(self._report_playback(), "played")
        elif isinstance(frame, BotStoppedSpeakingFrame):
            self._playback.stopped()
        await super().process_frame(frame, direction)

    async def push_frame(self, frame: Frame, direction: FrameDirection = FrameDirection.DOWNSTREAM) -> None:
        """Counts the sound that goes to the transport, and gives each word the space that the text has before it."""
        if isinstance(frame, TTSTextFrame) and frame.context_id in self._spacing:
            space = self._spacing[frame.context_id].before(frame.text)
            frame.raw_text = space + (frame.raw_text or frame.text).lstrip()
        if isinstance(frame, TTSAudioRawFrame) and frame.context_id is not None:
            length_ms = 1000 * frame.num_frames / frame.sample_rate
            self._playback.pushed(frame.context_id, length_ms, asyncio.get_running_loop().time())
        await super().push_frame(frame, direction)

    def _heard_ms(self, context_id: str) -> float | None:
        return self._playback.heard_ms(context_id, asyncio.get_running_loop().time())

    async def _report_playback(self) -> None:
        """Tells the server where the listener is. From then on it counts on by itself."""
        for context_id, turn in list(self._turns.items()):
            heard_ms = self._heard_ms(context_id)
            if turn.speech is not None and heard_ms is not None:
                try:
                    await turn.speech.played(heard_ms)
                except ClientError:
                    return


def _server_went(error: ClientError) -> bool:
    return isinstance(error, ConnectionLost) or (isinstance(error, ServerError) and error.code == "shutting_down")
