"""LiveKit's own speech socket, as `livekit.agents.inference.TTS` speaks it: agents need no plugin.

> {"type": "session.create", "voice": "...", "sample_rate": "24000", ...}
> {"type": "input_transcript", "transcript": "...", ...}    as often as one likes
> {"type": "session.flush"}                                 the turn is complete
< {"type": "session.created", "session_id": "..."}
< {"type": "output_audio", "audio": base64, ...}
< {"type": "output_alignment", "words": [{"word", "start", "end"}], ...}
< {"type": "done", ...}                                     after all of a turn
< {"type": "error", "message": "...", ...}
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

import msgspec

from rtserver.audio.formats import FormatError, check_format
from rtserver.front.access import Credentials
from rtserver.messages import wire
from rtserver.messages.codec import MessageError
from rtserver.messages.errors import error_message
from rtserver.session.ids import new_utterance_id
from rtserver.session.outbox import WsFrame
from rtserver.session.start_request import RequestError, check_name
from rtserver.wire.dialect import Action, Handshake
from rtserver.wire.languages import asked_language
from rtserver.wire.livekit.messages import InferenceMessage, InputTranscript, SessionCreate
from rtserver.wire.turns import Turn, TurnDialect

_DECODER: msgspec.json.Decoder[InferenceMessage] = msgspec.json.Decoder(InferenceMessage)


class InferenceDialect(TurnDialect[InferenceMessage]):
    """One socket."""

    def __init__(self, handshake: Handshake, *, sample_rate: int, languages: Sequence[str]) -> None:
        """sample_rate: of the model, in Hz."""
        super().__init__(handshake)
        self._sample_rate = sample_rate
        self._languages = languages
        # For a model of Cartesia the client itself puts a space after each word.
        self._tells_spaces = not handshake.query.get("model", "").startswith("cartesia/")
        self._session = new_utterance_id()
        self._rate_hz: int | None = None  # what the client asked for
        self._voice = "default"
        self._language = "auto"
        self._words: list[wire.Mark] = []  # of the sound that comes next

    def credentials(self) -> Credentials:
        """The client makes a token (JWT) of its `api_key` and signs it with its `api_secret`. The key is in it."""
        usual = super().credentials()
        return Credentials(_issuer(usual.key) or usual.key)

    # -- in ---------------------------------------------------------------------------------------------------------

    def decode(self, frame: WsFrame) -> InferenceMessage:
        try:
            return _DECODER.decode(frame)
        except (ValueError, RecursionError) as error:
            what = "expected session.create, input_transcript or session.flush"
            raise MessageError("bad_message", f"{what}: {str(error)[:200]}") from error

    def take(self, message: InferenceMessage) -> Sequence[Action]:
        match message:
            case SessionCreate():
                return self._create(message)
            case InputTranscript(text, config):
                if self.spoken_turn is None and (wrong := self._set(config.voice, config.language)) is not None:
                    return self.complaint(wrong)
                return self.speak(text)
            case _:
                return self.flush()

    def _create(self, asked: SessionCreate) -> Sequence[Action]:
        try:
            rate_hz = None if asked.sample_rate is None else int(str(asked.sample_rate)[:9])
            self._rate_hz = check_format("pcm_s16le", rate_hz, self._sample_rate).sample_rate
        except (FormatError, ValueError) as error:
            return self.complaint(error_message("unsupported_format", f"sample_rate: {error}"))
        if (wrong := self._set(asked.voice, asked.language)) is not None:
            return self.complaint(wrong)
        return (self._told("session.created"),)

    def _set(self, voice: str | None, language: str | None) -> wire.Error | None:
        """For turns that begin to sound after it. Returns what is wrong, if something is."""
        try:
            check_name("voice", voice or "", empty=True)  # the socket keeps it
        except RequestError as error:
            return error_message(error.code, str(error))
        self._voice = voice or self._voice
        self._language = asked_language(language, self._languages) if language else self._language
        return None

    def opening(self, turn: Turn) -> wire.Start:
        return wire.Start(
            context=turn.name,
            voice=self._voice,
            language=self._language,
            sample_rate=self._rate_hz,
            text=turn.text,
            end=turn.flushed,
        )

    # -- out --------------------------------------------------------------------------------------------------------

    def greeting(self, ready: wire.Ready) -> Sequence[Action]:
        return ()

    def begun(self, turn: Turn, started: wire.Started) -> Sequence[Action]:
        self._words = []
        return ()

    def heard(self, turn: Turn, message: wire.Audio | wire.Mark) -> Sequence[Action]:
        if isinstance(message, wire.Mark):
            self._words.append(message)
            return ()
        return (*self._alignment(turn), self._told("output_audio", audio=base64.b64encode(message.data).decode()))

    def over(self, turn: Turn, ended: wire.Done | wire.Cancelled | None) -> Sequence[Action]:
        return (*self._alignment(turn), self._told("done"))

    def complaint(self, error: wire.Error) -> Sequence[Action]:
        return (self._told("error", code=error.code, message=error.message, retryable=error.retryable, id=error.id),)

    def remark(self, warning: wire.Warning) -> Sequence[Action]:
        return ()

    def _alignment(self, turn: Turn) -> Sequence[str]:
        """The client puts the words together as they are."""
        words, self._words = self._words, []
        told = [
            {"word": self._spaced(word, turn), "start": word.start_ms / 1000, "end": word.end_ms / 1000}
            for word in words
        ]
        return (self._told("output_alignment", words=told),) if told else ()

    def _spaced(self, word: wire.Mark, turn: Turn) -> str:
        """With the space after it, if the text has one."""
        end = word.offset + len(word.text)
        return word.text + " " if self._tells_spaces and turn.text[end : end + 1].isspace() else word.text

    def _told(self, kind: str, **fields: object) -> str:
        return json.dumps({"type": kind, "session_id": self._session, **fields})


def _issuer(token: str | None) -> str | None:
    """Who has made a JWT; None for what is none. Its signature proves nothing more: who knows the key may come in."""
    try:
        _, claims, _ = (token or "").split(".")
        found = msgspec.json.decode(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    except (ValueError, RecursionError):
        return None
    issuer = found.get("iss") if isinstance(found, dict) else None
    return issuer if isinstance(issuer, str) else None
