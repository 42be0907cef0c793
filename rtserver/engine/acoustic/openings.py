"""From a request to an utterance that can speak: what its voice or source still needs is prepared first."""

from __future__ import annotations

from collections.abc import Callable

from cosyvoice.errors import CosyVoiceError
from cosyvoice.talker.layout import text_ids_before_audio
from cosyvoice.voice.modes import unfollowed
from rtserver.engine.acoustic.models import AcousticModels
from rtserver.engine.acoustic.unprepared import Unprepared, Waiting
from rtserver.engine.acoustic.utterance import AcousticUtterance
from rtserver.ipc.engine import Open, Started
from rtserver.ipc.message import Message
from rtserver.ipc.preparing import Dismiss, PreparationKey, Prepared
from rtserver.metrics.trace import Ring


class Openings:
    """Requests that wait, and the making of utterances. `send` takes the messages for the front."""

    def __init__(self, models: AcousticModels, send: Callable[[Message], None], ring: Ring, *, holds: bool) -> None:
        """holds: whether the first sound for a realtime listener may be kept back."""
        self._models = models
        self._send = send
        self._ring = ring
        self._holds = holds
        self._unprepared = Unprepared()
        # What was prepared and is in the cache now. If it is not there all the same, it is encoded in this process.
        self._cached: set[PreparationKey] = set()

    def __len__(self) -> int:
        return len(self._unprepared)

    def __contains__(self, name: str) -> bool:
        return name in self._unprepared

    def open(self, request: Open, now_s: float) -> AcousticUtterance | None:
        """The utterance; None when it must wait for something to be prepared. Raises CosyVoiceError or ValueError for a
        request that cannot be."""
        voices = self._models.voices
        voices.check(request)
        missing = [p for p in voices.missing(request) if p.key not in self._cached]
        if not missing:
            return self.begin(request, now_s)
        for prepare in self._unprepared.add(request, missing, now_s):
            self._send(prepare)
        return None

    def begin(self, request: Open, opened_s: float) -> AcousticUtterance:
        """The utterance of a request that misses nothing. A realtime one has its memory at once, or is refused before
        it speaks (CacheFull)."""
        config, voice = self._models.config, self._models.voices.voice(request)
        utterance = AcousticUtterance(request, self._models, voice, opened_s, self._ring, holds=self._holds)
        if request.service_class == "realtime":
            utterance.take_memory()
        prompt = voice.talker_prompt(streaming=request.streaming)
        needed = text_ids_before_audio(config.talker, len(prompt.speech), len(prompt.transcript))
        warning = unfollowed(request.instruct_text, config.serving)
        before_audio = 0 if request.source_audio is not None else needed
        self._send(Started(request.utterance, voice.name, before_audio, warning))
        return utterance

    def say(self, name: str, message: Message, now_s: float) -> None:
        """Keeps a message to a request that waits."""
        self._unprepared.say(name, message, now_s)

    def prepared(self, prepared: Prepared) -> tuple[list[Waiting], Prepared]:
        """Takes what was prepared. Returns the requests that wait for nothing any more, and `prepared`, or the error
        that it could not be used."""
        try:
            self._models.voices.adopt(prepared)
        except (CosyVoiceError, ValueError) as error:
            prepared = Prepared(prepared.key, "internal", str(error))
        if prepared.is_in_cache:
            self._cached.add(prepared.key)
        ready = self._unprepared.prepared(prepared)
        if prepared.code:
            for waiting in ready:
                self._dismiss(self._unprepared.unwanted(waiting))
        return ready, prepared

    def drop(self, name: str) -> None:
        """Forgets a request. One that does not wait is none of these."""
        self._dismiss(self._unprepared.drop(name))

    def _dismiss(self, unwanted: list[PreparationKey]) -> None:
        for key in unwanted:
            self._send(Dismiss(key))
