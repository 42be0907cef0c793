"""The transcript of what was heard, exact to the word.

LiveKit's synchronizer notes a word after the time that its syllables take at 3.8 a second, so up to a third of a second
late, or two words. But the output tells at its end how much sound was played, and each word has its time. So an output
that stands before LiveKit's counts the words anew.
"""

from __future__ import annotations

from itertools import takewhile

from livekit import rtc
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT, TimedString
from livekit.agents.utils import is_given
from livekit.agents.voice.io import AudioOutput, AudioOutputCapabilities


class HeardOutput(AudioOutput):
    """Passes sound on to an output, and says which words of it were heard."""

    def __init__(self, output: AudioOutput) -> None:
        super().__init__(label="rtserver", capabilities=AudioOutputCapabilities(pause=True), next_in_chain=output)
        self._output = output
        self._words: list[TimedString] = []  # of the segment that is captured or played
        self._flushed = True

    @property
    def sample_rate(self) -> int | None:
        """That of the output."""
        return self._output.sample_rate

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        """Notes the words that come with the sound."""
        if self._flushed:
            self._words.clear()
            self._flushed = False
        self._words += frame.userdata.get(USERDATA_TIMED_TRANSCRIPT, ())
        await self._output.capture_frame(frame)
        await super().capture_frame(frame)

    def flush(self) -> None:
        """The segment has no more sound."""
        super().flush()
        self._flushed = True
        self._output.flush()

    def clear_buffer(self) -> None:
        """Plays no more of it."""
        self._output.clear_buffer()

    def on_playback_finished(
        self, *, playback_position: float, interrupted: bool, synchronized_transcript: str | None = None
    ) -> None:
        """Called by the output. What it tells goes on to the session, with the words of the segment that were heard."""
        super().on_playback_finished(
            playback_position=playback_position,
            interrupted=interrupted,
            synchronized_transcript=heard_text(self._words, playback_position, synchronized_transcript),
        )


def heard_text(words: list[TimedString], played_s: float, noted: str | None) -> str | None:
    """The words that have begun in so much sound. noted: what LiveKit has noted of them, or None if it notes nothing.
    Where that is another text, because the agent changes its transcripts, it is kept."""
    if not words or (noted is not None and not _letters("".join(words)).startswith(_letters(noted))):
        return noted
    return "".join(takewhile(lambda word: not is_given(word.start_time) or word.start_time < played_s, words))


def _letters(text: str) -> str:
    return "".join(text.split())
