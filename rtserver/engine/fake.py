"""An engine that speaks tones: deterministic, of any speed, without a model. For clients that are being written, and
for tests and load tests of the front alone.

An utterance sounds as long as it has text ids, a conversion as long as its source. Its samples depend on its voice,
seed and position only, not on how text came or how the work was cut.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rtserver.engine.acoustic.notes import Notes
from rtserver.engine.api import EngineError, Event, OnEvent
from rtserver.engine.tone import tone_of
from rtserver.engine.tone_timeline import ToneTimeline
from rtserver.ipc.engine import Audio, Done, Failed, Flushed, Load, Open, Ready, Rested, Started, VoiceInfo, Writing
from rtserver.ipc.reading import Segment
from rtserver.ipc.tracing import Traced, TraceParts
from rtserver.metrics.trace import Ring
from rtserver.processes.supervisor import ProcessHealth
from rtserver.schedule.pace import Pace
from rtserver.schedule.playback import Playback

# Names of no voice of their own.
_ANY = ("default", "female", "male")
MODES = ("sft", "zero_shot", "cross_lingual", "instruct", "vc")


@dataclass(frozen=True)
class FakeOptions:
    """How the tones are made."""

    # Seconds of work for a second of sound; 0 for as fast as can be.
    realtime_factor: float = 0.1
    # Work before the first sound.
    first_audio_s: float = 0.0
    # The most sound that comes at once.
    hop_s: float = 0.5
    # How many hops an utterance makes before another has its turn, when work takes no time.
    hops_a_turn: int = 1
    seconds_per_text_id: float = 0.06
    sample_rate: int = 24000
    max_streams: int = 10_000
    # An utterance that has waited for text for this long rests.
    rest_after_s: float = 5.0
    # Known names; `default`, `female` and `male` always are, and mean the first.
    voices: tuple[str, ...] = ("中文女", "中文男", "英文女", "英文男")
    # An instruction has to name one of these words; none: all are taken.
    styles: tuple[str, ...] = ()
    # Whether hops are noted for `rtserver trace`. A real engine notes them in another process, so a measurement of the
    # front leaves it out.
    notes_hops: bool = True


class FakeUtterance:
    """An utterance of a FakeEngine. No task of its own: each step says when the next one is due."""

    def __init__(
        self,
        request: Open,
        options: FakeOptions,
        emit: OnEvent,
        on_over: Callable[[FakeUtterance], None],
        ring: Ring,
    ) -> None:
        self._request = request
        self._options = options
        self._emit = emit
        self._on_over = on_over
        self._text = ToneTimeline()
        self._ended = request.mode == "vc"
        self._pace = Pace(1.0, None)
        self._flushes: deque[tuple[float, int, str]] = (
            deque()
        )  # length of text and samples of silence before it, its id
        self._samples = 0  # that have sounded
        self._whole = 0  # of the text so far; none while the pace is not known
        self.name = request.utterance
        self._sample_rate = options.sample_rate
        self._hop_samples = int(options.hop_s * options.sample_rate)
        self._samples_per_id = 1.0
        self._due_s: float | None = None  # when the work on the latest hop ended; None when there was none to do since
        self._tone = tone_of(f"{request.voice} {request.seed}", self._sample_rate)
        self._held = False
        self._over = False
        self._playback = Playback()
        self._opened_s = time.monotonic()
        self._first_text_s: float | None = None
        self._first_audio_s: float | None = None
        self._hop_began_s = self._opened_s
        self._loop = asyncio.get_running_loop()
        self._waits = False  # for a call, with nothing to do now
        self._next: asyncio.Handle | None = self._loop.call_soon(self._begin)
        self._notes = Notes(self.name, ring, self._opened_s)
        self._fed = 0  # how many Feed, Flush and End
        self._rest: asyncio.TimerHandle | None = None

    def feed(self, segments: Sequence[Segment], writing: Writing | None = None) -> None:
        self._wake()
        self._first_text_s = self._first_text_s or time.monotonic()
        for segment in segments:
            self._text.add(len(segment.ids), segment.rate)
            if segment.silence_ms:
                self._text.add_silence(segment.silence_ms * self._sample_rate // 1000)
        self._note_text()
        self._measure()
        self._changed()

    def flush(self, flush_id: str) -> None:
        self._wake()
        self._flushes.append((self._text.length, self._text.silent_samples, flush_id))
        self._changed()

    def end(self) -> None:
        self._wake()
        self._ended = True
        self._note_text()
        self._changed()

    def cancel(self) -> None:
        self._over = True
        if self._next is not None:
            self._next.cancel()
        self._stop_rest()
        self._on_over(self)

    def heard(self, position_s: float) -> None:
        self._playback.report(position_s, time.monotonic())
        self._changed()

    def hold(self, on: bool) -> None:
        self._held = on
        self._changed()

    def _wake(self) -> None:
        self._fed += 1
        self._stop_rest()

    def _stop_rest(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None

    def _note_text(self) -> None:
        """As if the talker took no time: it wants more text at once."""
        now_s = time.monotonic()
        self._notes.text(now_s, self._text.ids, speechless=True)
        self._notes.quantum_sent(now_s, None, 0.0)
        self._notes.quantum_answered(now_s, self._tokens)

    # -- steps ------------------------------------------------------------------------------------------------------

    def _changed(self) -> None:
        """What waits for a call looks again, in a turn of its own: nothing is emitted during a call."""
        if not self._waits or self._over:
            return
        self._waits = False
        if self._next is not None:
            self._next.cancel()
        self._next = self._loop.call_soon(self._go_on)

    def _begin(self) -> None:
        name, request = self.name, self._request
        refusal = _refusal(request)
        if refusal is not None:
            self._close(Failed(name, *refusal))
            return
        try:
            self._pace = Pace(request.speed, request.target_s)
        except ValueError as error:
            self._close(Failed(name, "bad_message", str(error)))
            return
        if request.prompt_audio is None and request.voice not in (*_ANY, *self._options.voices):
            known = ", ".join(self._options.voices)
            self._close(Failed(name, "unknown_voice", f"voice: expected one of {known}, found {request.voice!r}"))
            return
        voice = self._options.voices[0] if request.voice in _ANY else request.voice
        if request.prompt_audio is not None:
            voice = "recording"
        self._measure()
        self._emit(Started(name, voice, 1, self._warning))
        self._go_on()

    @property
    def _warning(self) -> str:
        styles, instruction = self._options.styles, self._request.instruct_text
        if not styles or not instruction or any(style in instruction for style in styles):
            return ""
        return f"instruct_text: expected one that names one of {', '.join(styles)}, found none: spoken plainly"

    def _go_on(self) -> None:
        """Ends, works, or waits: for a call, or for the listener."""
        self._next = None
        if self._ended and not self._pace.known:
            self._pace.fit(self._length_s, silence_s=self._text.silent_samples / self._sample_rate)
            self._measure()
        self._answer_flushes()
        left = self._whole - self._samples
        if self._over:
            return
        if self._ended and left == 0:
            self._close(self._done())
        elif left == 0 or self._held:
            self._wait()
            if left == 0 and self._rest is None:
                rested = Rested(self.name, self._fed)
                self._rest = self._loop.call_later(self._options.rest_after_s, self._emit, rested)
        elif (over_s := self._over_lead_s) > 0:
            self._wait()
            self._next = self._loop.call_later(over_s, self._go_on)
        else:
            self._work()

    def _wait(self) -> None:
        self._waits = True
        self._due_s = None

    def _work(self) -> None:
        """Hops are due on a schedule: one that came late makes none behind it late."""
        self._waits = False
        options = self._options
        work_s = self._next_samples / self._sample_rate * options.realtime_factor
        if self._first_audio_s is None:
            work_s += options.first_audio_s
        if work_s == 0:
            self._hop_began_s = time.monotonic()
            self._next = self._loop.call_soon(self._turn)
            return
        now_s = self._hop_began_s = time.monotonic()
        if options.notes_hops:
            self._notes.hop_began(now_s, None)
        self._due_s = (now_s if self._due_s is None else self._due_s) + work_s
        self._next = self._loop.call_later(max(0.0, self._due_s - now_s), self._turn)

    def _turn(self) -> None:
        """A hop, or as many as come in a turn when work takes no time."""
        more = self._options.hops_a_turn - 1 if self._options.realtime_factor == 0 else 0
        self._hop()
        while (
            more and not (self._over or self._held or self._flushes) and self._next_samples and self._over_lead_s <= 0
        ):
            self._hop()
            more -= 1
        if not self._over:
            self._go_on()

    @property
    def _over_lead_s(self) -> float:
        """How much more the listener has ahead than it may."""
        bound_s = self._request.max_lead_s
        return 0.0 if bound_s is None else self._playback.lead_s(time.monotonic()) - bound_s

    @property
    def _next_samples(self) -> int:
        """Of the next hop."""
        return min(self._whole - self._samples, self._hop_samples)

    def _hop(self) -> None:
        start, samples, rate = self._samples, self._next_samples, self._sample_rate
        self._samples = start + samples
        if self._first_audio_s is None:
            self._first_audio_s = time.monotonic()
        if self._request.max_lead_s is not None:
            self._playback.sent(samples / rate, time.monotonic())
        if self._options.realtime_factor and self._options.notes_hops:  # tones that take no time have no spans
            now_s = time.monotonic()
            self._notes.step(self._hop_began_s, now_s, samples / rate * self._options.realtime_factor)
            self._notes.sounded(now_s, now_s, 0.0, self._samples / rate)
            self._hop_began_s = now_s
        pcm = self._pcm(start, samples)
        self._emit(Audio(self.name, pcm, start / rate, self._tokens, self._spoken_ids))

    def _pcm(self, start: int, samples: int) -> bytes:
        """The tone, with zeros where the text asks for silence."""
        pcm = self._tone.cut(start, samples)
        if not self._text.silent_samples:  # most texts
            return pcm
        for at, end in self._text.silences(self._samples_per_id):
            first, last = max(at, start) - start, min(end, start + samples) - start
            if first < last:
                pcm = pcm[: 2 * first] + bytes(2 * (last - first)) + pcm[2 * last :]
        return pcm

    def _measure(self) -> None:
        """How long the text so far sounds, in samples."""
        if self._pace.known:
            samples = self._length_s * self._sample_rate / self._pace.speed
            self._whole = int(samples + 1e-6) + self._text.silent_samples  # a whole number may be a hair less
            self._samples_per_id = self._options.seconds_per_text_id * self._sample_rate / self._pace.speed

    @property
    def _length_s(self) -> float:
        """Of all the sound but the silences, at speed 1."""
        source = self._request.source_audio
        if source is not None:
            return source.named().seconds
        return self._text.length * self._options.seconds_per_text_id

    @property
    def _spoken_ids(self) -> float:
        return self._text.ids_at(self._samples, self._samples_per_id)

    @property
    def _tokens(self) -> int:
        return self._samples * 25 // self._sample_rate

    def _answer_flushes(self) -> None:
        while self._flushes:
            length, silent, flush_id = self._flushes[0]
            if self._samples < min(self._whole, length * self._samples_per_id + silent):
                return
            self._flushes.popleft()
            self._emit(Flushed(self.name, flush_id, self._samples / self._sample_rate))

    def _done(self) -> Done:
        now_s = time.monotonic()
        since_s = self._first_text_s or self._opened_s
        seconds = {"audio": self._samples / self._sample_rate, "wall": now_s - since_s, **self._pace.told()}
        if self._first_audio_s is not None:
            seconds["ttfa"] = self._first_audio_s - since_s
        return Done(self.name, self._text.ids, [0] * self._tokens, 1, False, seconds)

    def _close(self, event: Event) -> None:
        self._over = True
        self._next = None
        self._stop_rest()
        self._on_over(self)
        self._emit(event)


class FakeEngine:
    """Made inside a running event loop."""

    def __init__(self, options: FakeOptions | None = None) -> None:
        self.options = options or FakeOptions()
        voices = list(self.options.voices)
        details = [VoiceInfo(name) for name in voices]
        self.info = Ready("fake", self.options.sample_rate, voices, {}, list(MODES), True, voice_details=details)
        self._utterances: dict[str, FakeUtterance] = {}
        self._closed = False
        self.load: Load | None = None  # it costs nothing; tests of admission say what it were if it did
        self.processes: Mapping[str, ProcessHealth] = {}
        self._ring = Ring()

    @property
    def ready(self) -> bool:
        return not self._closed

    @property
    def live(self) -> int:
        return len(self._utterances)

    @property
    def traces(self) -> TraceParts:
        async def traced(utterance: str) -> Traced:
            return self._ring.traced("engine", utterance, works=False)

        return {"engine": traced}

    def open(self, request: Open, on_event: OnEvent) -> FakeUtterance:
        name = request.utterance
        if self._closed:
            raise EngineError("the engine is closed")
        if name in self._utterances:
            raise ValueError(f"utterance {name!r} is already open")
        if len(self._utterances) >= self.options.max_streams:
            raise EngineError(f"expected at most {self.options.max_streams} utterances")
        utterance = FakeUtterance(request, self.options, on_event, self._forget, self._ring)
        self._utterances[name] = utterance
        return utterance

    def _forget(self, utterance: FakeUtterance) -> None:
        if self._utterances.get(utterance.name) is utterance:  # another may have its name by now
            del self._utterances[utterance.name]

    async def close(self) -> None:
        self._closed = True
        for utterance in list(self._utterances.values()):
            utterance.cancel()


def _refusal(request: Open) -> tuple[str, str] | None:
    """Code and message for what cannot be."""
    mode = request.mode
    if mode not in MODES:
        return "unknown_mode", f"mode: expected one of {list(MODES)}, found {mode[:40]!r:.40}"
    if (mode == "vc") != (request.source_audio is not None):
        return "bad_message", f"mode {mode}: expected source_audio with mode vc and no other"
    if mode == "instruct" and not request.instruct_text.strip():
        return "bad_message", "mode instruct: expected an instruction, found none"
    if request.target_s is not None and request.streaming and mode != "vc":
        return "bad_message", "target_s: expected a whole text, found one that is spoken while it still comes"
    return None
