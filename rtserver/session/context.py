"""One context of a session: its request, its sound so far, and how much of it the listener has heard. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from rtserver.audio.formats import SoundFormat
from rtserver.audio.frames import BYTES_PER_SAMPLE, Framer
from rtserver.ipc import engine
from rtserver.messages import wire
from rtserver.metrics.attribution import Gap
from rtserver.metrics.trace import Spans
from rtserver.schedule.playback import Playback
from rtserver.session.fade import Fade
from rtserver.session.limits import SessionLimits
from rtserver.session.marks import Marks, WordTime
from rtserver.session.start_request import RequestError
from rtserver.session.unspoken import UnspokenWarnings

# A listener does not hear a shorter gap. Sound made just in time has one at every frame, and each would cost a note.
_LEAST_GAP_S = 0.005
_REPORT_EVERY_S = 0.1
SILENCE_MS = 100  # sent for a text without any sound, because agents treat an answer without audio as a failure

ContextState = Literal["open", "ended"]


@dataclass
class Context:
    """An open context. The session drops it when it is over."""

    # The client's name for it.
    name: str
    # Its number in binary frames and effects.
    stream: int
    # What the engine was asked for.
    request: engine.Open
    # The format that the client receives.
    sound: SoundFormat
    # Rate of the engine's sound, in Hz.
    sample_rate: int
    # Whether the client wants marks.
    show_marks: bool
    # When the client opened it.
    opened_s: float
    # Where the spans of its sound are noted.
    spans: Spans
    # open: takes text. ended: all text has come.
    state: ContextState = "open"
    # All text so far.
    text: str = ""
    # When text or sound came last. Before any: when the client opened it.
    active_s: float = field(init=False)
    # What was sent and how much of it has been heard.
    playback: Playback = field(default_factory=Playback)
    # The times of its words.
    marks: Marks = field(default_factory=Marks)
    # Cuts its sound into frames.
    framer: Framer = field(init=False)
    # Warns of characters that are left out.
    unspoken: UnspokenWarnings = field(init=False)
    # When its first sound came from the engine.
    first_audio_s: float | None = None
    # The last sample of that sound; none before the first sound.
    last_sample: bytes = b""
    # How often its text was flushed.
    flushes: int = 0
    # When the engine was told last what the listener has heard.
    told_played_s: float = float("-inf")
    # When the listener began to play: at first, or after it had run dry.
    playing_since_s: float = 0.0

    def __post_init__(self) -> None:
        self.framer = Framer(self.sample_rate)
        self.unspoken = UnspokenWarnings(self.name)
        self.active_s = self.opened_s

    def add_text(self, text: str, now_s: float) -> None:
        """The client has sent more text. Spaces say nothing."""
        self.text += text
        if text and not text.isspace():
            self.active_s = now_s

    def count_flush(self, limits: SessionLimits) -> None:
        """The client wants the text so far to be spoken. Raises RequestError when it has wanted that too often: the
        engine must remember every one."""
        self.flushes += 1
        if self.flushes > limits.flushes:
            raise RequestError("bad_message", f"flush: expected at most {limits.flushes} in a context, found another")

    def played(self, position_s: float, now_s: float) -> bool:
        """The listener reports its position. Returns whether the engine is told: not at every one of many reports,
        because it knows how time passes."""
        self.playback.report(position_s, now_s)
        if now_s < self.told_played_s + _REPORT_EVERY_S:
            return False
        self.told_played_s = now_s
        return True

    def idle_at_s(self, limits: SessionLimits) -> float | None:
        """When it ends because its client says nothing; None when the client needs to say nothing more."""
        if self.state == "ended":
            return None
        has_text = self.active_s > self.opened_s or (self.text and not self.text.isspace())
        return self.active_s + (limits.turn_idle_s if has_text else limits.context_idle_s)

    def started(self, event: engine.Started) -> list[wire.ServerMessage]:
        """`started`, and warnings: an instruction will not be followed, characters are left out."""
        started = wire.Started(
            context=self.name,
            id=self.request.utterance,
            stream=self.stream,
            voice=event.voice,
            format=self.sound.name,
            sample_rate=self.sound.sample_rate,
            text_ids_before_audio=event.text_ids_before_audio,
            seed=self.request.seed,
        )
        style = [wire.Warning(self.name, "unknown_style", event.warning)] if event.warning else []
        return [started, *style, *self.unspoken.started()]

    def audio(self, event: engine.Audio, now_s: float) -> list[wire.ServerMessage]:
        """The marks of the words that begin in this sound, then its frames."""
        self.active_s = now_s
        if self.first_audio_s is None:
            self.first_audio_s = now_s
        self.last_sample = event.pcm[-BYTES_PER_SAMPLE:] or self.last_sample
        samples = len(event.pcm) // BYTES_PER_SAMPLE
        end_ms = self.framer.audio_ms + samples * 1000 / self.sample_rate
        self.spans.append(("sound", now_s, now_s, now_s, 0.0, end_ms / 1000))
        if event.id_starts_s is None:
            words = self.marks.audio(end_ms, event.text_position)
        else:
            words = self.marks.timed(event.first_id, [1000 * start for start in event.id_starts_s], end_ms)
        frames = self._frames(event.pcm)
        return self._marks(words) + frames if words else frames

    def done(self, event: engine.Done) -> list[wire.ServerMessage]:
        """The remaining marks (and silence, if the text had no sound), then `done`."""
        messages: list[wire.ServerMessage] = []
        if self.framer.audio_ms == 0 and self.text:
            messages += self._frames(bytes(SILENCE_MS * self.sample_rate // 1000 * BYTES_PER_SAMPLE))
        messages += self._marks(self.marks.finish())
        seconds = event.seconds
        timings = {k: round(seconds.get(k, 0.0) * 1000, 1) for k in ("text_wait", "queue", "talker", "flow", "vocoder")}
        timings["encode"] = 0.0  # what encodes the sound puts its own time here
        if "ttfa" in seconds:
            timings["ttfa_from_text"] = round(seconds["ttfa"] * 1000, 1)
        if self.first_audio_s is not None:
            timings["ttfa_from_start"] = round((self.first_audio_s - self.opened_s) * 1000, 1)
        usage = {
            "characters": len(self.text),
            "text_ids": event.text_ids,
            "speech_tokens": len(event.speech_tokens),
        }
        starved_ms = round(seconds.get("text_starved", 0.0) * 1000)
        speed = seconds.get("speed") if self.request.target_s is not None else None
        window_ms = None if event.window_s is None else round(event.window_s * 1000)
        return [*messages, wire.Done(self.name, self.framer.audio_ms, usage, timings, starved_ms, speed, window_ms)]

    def sent(self, seconds: float, now_s: float) -> Gap | None:
        """Sound was handed to the network. Returns the silence that it ended, if the listener had run dry."""
        gap_s = self.playback.sent(seconds, now_s)
        sent_s = self.playback.sent_s
        self.spans.append(("sent", now_s, now_s, now_s, 0.0, sent_s))
        at_s = sent_s - seconds
        if gap_s < _LEAST_GAP_S and at_s > 0:
            return None
        since_s, self.playing_since_s = self.playing_since_s, now_s
        listens = gap_s > 0 and self.request.service_class == "realtime"
        return Gap(self.request.utterance, since_s, now_s - gap_s, now_s, at_s) if listens else None

    def fade(self, fade_ms: int) -> Fade | None:
        """How its sound ends; None where there is nothing to fade."""
        samples = fade_ms * self.sample_rate // 1000
        if not samples or not self.last_sample:
            return None
        held = samples * self.last_sample
        return Fade(samples, wire.Audio(self.name, self.framer.frames, self.framer.audio_ms, held, self.stream))

    def cancelled(self, now_s: float) -> wire.Cancelled:
        sent_ms, heard_ms = self.playback.sent_s * 1000, self.playback.heard_s(now_s) * 1000
        return wire.Cancelled(
            context=self.name,
            sent_ms=round(sent_ms),
            heard_ms=round(heard_ms),
            heard_from="reported" if self.playback.reported else "estimated",
            text_sent=self.text[: self.marks.text_end_at(sent_ms)],
            text_heard=self.text[: self.marks.text_end_at(heard_ms)],
        )

    def _frames(self, pcm: bytes) -> list[wire.ServerMessage]:
        return self.framer.cut_into(self._frame, pcm)

    def _frame(self, seq: int, start_ms: int, data: bytes) -> wire.ServerMessage:
        return wire.Audio(self.name, seq, start_ms, data, self.stream)

    def _marks(self, words: list[WordTime]) -> list[wire.ServerMessage]:
        if not self.show_marks:
            return []
        return [wire.Mark(self.name, w.text, w.offset, w.start_ms, w.end_ms, w.estimated) for w in words]
