"""vllm-omni's `/v1/audio/speech/stream`, with the word times of Baseten, as LiveKit's plugin `baseten` speaks it.

> {"type": "session.config", "voice": "...", ...}  first, and again for other settings
> {"type": "input.text", "text": "..."}            as often as one likes
> {"type": "input.done"}                           the turn is complete; without text it keeps the socket open
> {"type": "session.close"}
< {"type": "audio.start", "utterance_index": 0, "sentence_index": 0, ...}
< sound in binary frames
< {"type": "audio.done", "timestamp_info": {...}, ...}
< {"type": "session.done", "utterance_index": 0, "total_sentences": 1}   after all of a turn
< {"type": "error", "message": "..."}, {"type": "warning", "message": "..."}

Speech begins while text still comes. With word times a "sentence" is what was computed together, about a second: an
agent that is interrupted then knows the words up to there. Without them a turn is one sentence.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from cosyvoice.config import MAX_SPEED, MIN_SPEED
from rtserver.audio.formats import FormatError, check_format
from rtserver.front.access import Credentials
from rtserver.messages import wire
from rtserver.messages.codec import MessageError
from rtserver.messages.errors import error_message
from rtserver.session.outbox import WsFrame
from rtserver.session.start_request import RequestError, check_instruction, check_name
from rtserver.session.voice_names import VoiceNames
from rtserver.uploads.errors import UploadError
from rtserver.uploads.source import from_base64
from rtserver.wire.dialect import Action, Handshake
from rtserver.wire.turns import Turn, TurnDialect
from rtserver.wire.vllm_omni.messages import InputDone, InputText, SessionClose, SessionConfig, SpeechMessage
from rtserver.wire.vllm_omni.sentence import Sentence

_DECODER: msgspec.json.Decoder[SpeechMessage] = msgspec.json.Decoder(SpeechMessage)
_FORMATS = {"pcm": "pcm_s16le", "wav": "wav", "flac": "flac", "mp3": "mp3", "opus": "ogg_opus"}


@dataclass(frozen=True)
class Configured:
    """A session.config and its recording."""

    config: SessionConfig
    prompt: bytes | None


Message = Configured | InputText | InputDone | SessionClose


class SpeechDialect(TurnDialect[Message]):
    """One socket."""

    def __init__(self, handshake: Handshake, *, sample_rate: int, upload_bytes: int, voices: VoiceNames) -> None:
        super().__init__(handshake)
        self._sample_rate = sample_rate  # of the model, in Hz
        self._upload_bytes = upload_bytes
        self._voices = voices
        self._configured: Configured | None = None
        self._is_new = False  # whether the last message was a session.config
        self._turns_over = 0
        self._sentences = 0  # of the turn that is spoken
        self._sentence: Sentence | None = None  # that is spoken
        self._words: list[wire.Mark] = []  # of the next sentence
        self._rate = sample_rate  # of the turn that is spoken, in Hz

    def credentials(self) -> Credentials:
        """`Authorization: Api-Key KEY`, beside the usual places."""
        scheme, _, key = self.handshake.headers.get("Authorization", "").partition(" ")
        return Credentials(key.strip()) if scheme.lower() == "api-key" else super().credentials()

    # -- in ---------------------------------------------------------------------------------------------------------

    def decode(self, frame: WsFrame) -> Message:
        try:
            message = _DECODER.decode(frame)
        except (ValueError, RecursionError) as error:
            what = "expected session.config, input.text, input.done or session.close"
            raise MessageError("bad_message", f"{what}: {str(error)[:200]}") from error
        if not isinstance(message, SessionConfig):
            return message
        try:
            recording = from_base64(message.ref_audio, self._upload_bytes) if message.ref_audio else None
        except UploadError as error:
            raise MessageError(error.code, f"ref_audio: {error}") from error
        return Configured(message, recording)

    def take(self, message: Message) -> Sequence[Action]:
        if self.closes:
            return ()
        self._is_new = isinstance(message, Configured)
        match message:
            case Configured():
                return self._configure(message)
            case SessionClose():
                return self.close()
            case _ if self._configured is None:
                return self.complaint(error_message("bad_message", "expected session.config first"))
            case InputText(text):
                return self.speak(text)
            case _:
                return self.flush()

    def _configure(self, configured: Configured) -> Sequence[Action]:
        """What it sets holds for turns that begin to sound after it."""
        config = configured.config
        if not self._voices.knows(config.voice or "default"):
            what = f"voice: expected a voice of this server (GET /v1/voices), found {config.voice!r:.60}"
            return self.complaint(error_message("unknown_voice", what))
        if not MIN_SPEED <= config.speed <= MAX_SPEED:
            what = f"speed: expected {MIN_SPEED} to {MAX_SPEED}, found {config.speed}"
            return self.complaint(error_message("bad_message", what))
        try:
            check_format(_FORMATS[config.response_format], config.sample_rate, self._sample_rate)
            check_name("language", config.language or "", empty=True)
            check_instruction("instructions", config.instructions or "")
            check_instruction("ref_text", config.ref_text or "")
        except FormatError as error:
            return self.complaint(error_message("unsupported_format", str(error)))
        except RequestError as error:
            return self.complaint(error_message(error.code, str(error)))
        self._keep(configured)
        return ()

    def _keep(self, configured: Configured | None) -> None:
        self._configured = configured
        self.kept_bytes = 0 if configured is None else len(configured.prompt or b"")

    def no_room(self, error: MessageError) -> Sequence[Action]:
        if not self._is_new:
            return super().no_room(error)
        self._keep(None)
        return self.complaint(error_message(error.code, str(error)))

    def opening(self, turn: Turn) -> wire.Start:
        assert self._configured is not None, "no text is taken before a session.config"
        config = self._configured.config
        return wire.Start(
            context=turn.name,
            voice=config.voice or "default",
            mode="instruct" if config.instructions else "sft",
            language=config.language_code,
            format=_FORMATS[config.response_format],
            sample_rate=config.sample_rate,
            speed=config.speed,
            seed=config.seed,
            instruct_text=config.instructions or "",
            prompt_text=config.ref_text or "",
            prompt_audio=self._configured.prompt,
            marks=config.wants_times,
            text=turn.text,
            end=turn.flushed,
        )

    # -- out --------------------------------------------------------------------------------------------------------

    def greeting(self, ready: wire.Ready) -> Sequence[Action]:
        return ()

    def begun(self, turn: Turn, started: wire.Started) -> Sequence[Action]:
        self._sentences = 0
        self._words = []
        self._rate = started.sample_rate
        return ()

    def heard(self, turn: Turn, message: wire.Audio | wire.Mark) -> Sequence[Action]:
        if isinstance(message, wire.Mark):
            ended = self._end_sentence()
            self._words.append(message)
            return ended
        told: list[Action] = []
        if self._sentence is None:
            told.append(self._begin_sentence(turn, message.start_ms))
        assert self._sentence is not None
        self._sentence.size_bytes += len(message.data)
        return (*told, message.data)

    def over(self, turn: Turn, ended: wire.Done | wire.Cancelled | None) -> Sequence[Action]:
        told = [*self._end_sentence(is_whole=not turn.failed)]
        if self._words and isinstance(ended, wire.Done):  # words that have a time only now
            told += [self._begin_sentence(turn, ended.audio_ms), *self._end_sentence()]
        sentences = self._sentences if turn.opened else 0
        told.append(
            json.dumps({"type": "session.done", "utterance_index": self._turns_over, "total_sentences": sentences})
        )
        self._turns_over += 1
        return told

    def complaint(self, error: wire.Error) -> Sequence[Action]:
        told = {"type": "error", "code": error.code, "message": error.message, "retryable": error.retryable}
        if self._sentence is not None:
            told |= {"partial_audio": True, "action": "discard"}
        return (json.dumps(told | ({} if error.id is None else {"id": error.id})),)

    def remark(self, warning: wire.Warning) -> Sequence[Action]:
        return (json.dumps({"type": "warning", "code": warning.code, "message": warning.message}),)

    def _begin_sentence(self, turn: Turn, start_ms: int) -> str:
        assert self._configured is not None
        self._sentence = Sentence(self._turns_over, self._sentences, start_ms, self._words)
        self._sentences += 1
        self._words = []
        text = self._sentence.text or turn.text
        return self._sentence.start(text, self._configured.config.response_format, self._rate)

    def _end_sentence(self, *, is_whole: bool = True) -> Sequence[str]:
        sentence, self._sentence = self._sentence, None
        return () if sentence is None else (sentence.done(is_whole),)
