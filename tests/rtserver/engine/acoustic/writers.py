"""A writer and a listener of the acoustic process's loop, in simulated time. Reader and loop are real."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast

from cosyvoice.frontend.text_stream import SHORT_STRETCH, ReadSegment, TextStream
from rtserver.front.writing_pace import WritingPace
from rtserver.ipc.engine import Audio, End, Feed, Hungry, Open
from rtserver.ipc.message import Message
from rtserver.ipc.talker import SampleQuantum, Tokens
from rtserver.processes.inbox import Lost
from rtserver.reader.text_front import engine_segments
from rtserver.schedule.playback import Playback
from tests.rtserver.engine.acoustic.fakes import CONFIG, FakeModels, World

# Speech tokens of a text id of the embedded voice, seconds of a token, and of one turn of flow or vocoder.
_TOKENS_PER_ID = 1.55
_TOKEN_S, _TURN_S = 0.0065, 0.04
_BEGIN_S = 100.0


class WritingWorld(World):
    """The loop with a front whose writer sends a piece every `every_s`, and a listener who plays at once."""

    def __init__(self, stream: TextStream, pieces: Sequence[str], every_s: float) -> None:
        models = FakeModels()
        serving = replace(CONFIG.serving, closing_ids=(7, 7, 7))  # as the embedded checkpoint has them
        models.config = replace(CONFIG, serving=serving)
        super().__init__(models, turn_s=_TURN_S)
        self.token_s = _TOKEN_S
        self._stream = stream
        self._pace = WritingPace()
        self._least_width: int | None = None  # of the text that the engine waits for; None: it waits for none
        self._fed = False
        costs = self.loop._scheduler.costs
        for stage, size, seconds in (
            ("quantum", 15, 0.1),
            ("quantum", 25, 0.165),
            ("step", 50, 0.04),
            ("vocoder", 50, 0.04),
        ):
            costs.note(stage, size, seconds)  # type: ignore[arg-type]
        self.at(_BEGIN_S, Open("u", "anna", streaming=True))
        for index, piece in enumerate(pieces):
            self._do(_BEGIN_S + index * every_s, lambda piece=piece: self._write(piece))  # type: ignore[misc]
        self._do(_BEGIN_S + (len(pieces) - 1) * every_s, self._end)

    def heard(self) -> tuple[float, float]:
        """Runs. Returns the seconds from the first piece to the first sound, and the longest stall."""
        self.run()
        playback, stall_s = Playback(), 0.0
        for at_s, message in self.sent:
            if isinstance(message, Audio):
                stall_s = max(stall_s, playback.sent(len(message.pcm) / 2 / CONFIG.sample_rate, at_s))
        assert playback.begun
        return playback.begun_s - _BEGIN_S, stall_s

    # -- the front ----------------------------------------------------------------------------------------------------

    def _write(self, piece: str) -> None:
        self._pace.note(len(piece), self.now_s)
        self._feed(self._stream.feed(piece))
        if self._least_width is not None:
            self._feed(self._stream.commit(self._least_width))
        elif not self._fed and self._pace.age_s(self.now_s) >= 0.5:
            self._feed(self._stream.commit(SHORT_STRETCH))

    def _end(self) -> None:
        self._feed(self._stream.end())
        self.at(self.now_s, End("u"))

    def _feed(self, segments: list[ReadSegment]) -> None:
        if segments:
            self._least_width, self._fed = None, True
            self.at(self.now_s, Feed("u", engine_segments(segments), self._pace.writing(self.now_s)))

    def send(self, message: Message) -> None:
        super().send(message)
        if isinstance(message, Hungry):
            self._least_width = 0 if message.urgent else SHORT_STRETCH
            self._feed(self._stream.commit(self._least_width))

    # -- the talker ---------------------------------------------------------------------------------------------------

    def answer(self, sample: SampleQuantum) -> Tokens:
        """As many tokens as the text ids in the sequence give."""
        text_ids = sum(i >= CONFIG.talker.head_rows for i in sample.ids)
        left = max(0, round(text_ids * _TOKENS_PER_ID) - len(sample.history))
        if sample.stage == "mid":
            return Tokens("u", sample.quantum, [7] * sample.max_tokens, self.token_s * sample.max_tokens)
        ids = [7] * min(sample.max_tokens, left)
        if len(ids) < sample.max_tokens:
            ids.append(CONFIG.talker.eos)
        return Tokens("u", sample.quantum, ids, self.token_s * len(ids))

    # -- things that happen at a time ---------------------------------------------------------------------------------

    def _do(self, at_s: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._events, (at_s, next(self._numbers), cast(Message, action)))

    def get(self, timeout: float | None = None) -> Message | Lost:
        until_s = None if timeout is None else self.now_s + timeout
        while callable(message := super().get(None if until_s is None else max(0.0, until_s - self.now_s))):
            message()
        return message

    def get_nowait(self) -> Message | Lost:
        while callable(message := super().get_nowait()):
            message()
        return message
