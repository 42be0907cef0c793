"""The acoustic process's turns: one Euler step for some hops, then the vocoder for those that are done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cosyvoice.flow.hop import HopJob
from cosyvoice.flow.voice import FlowVoice
from cosyvoice.transfer import HostCopies
from cosyvoice.vocoder.stream import VocoderStream
from rtserver.engine.acoustic.faults import leaves_doubt
from rtserver.engine.acoustic.models import AcousticModels
from rtserver.engine.acoustic.stopwatch import HostStopwatch, Lap, Stopwatch
from rtserver.engine.acoustic.utterance import AcousticUtterance
from rtserver.ipc.engine import Audio, Load
from rtserver.schedule.batch import Hop
from rtserver.schedule.scheduler import Scheduler
from rtserver.schedule.standing import may_work

# A stream, new mel, and whether that is its last.
VocoderHop = tuple[VocoderStream, Tensor, bool]
# An utterance, the frames of its hop in the flow, and the vocoder's part.
Decoding = tuple[AcousticUtterance, int, VocoderHop]


@dataclass
class Totals:
    """Work since the start."""

    # Euler steps.
    steps: int = 0
    # Hops, summed over the Euler steps: rows / steps is the mean batch.
    rows: int = 0
    # Audio that was made.
    audio_s: float = 0.0
    # Time that flow and vocoder took.
    flow_s: float = 0.0
    vocoder_s: float = 0.0


class Turns:
    """Every turn advances the most urgent hops by one Euler step, so that none waits for longer than a step."""

    def __init__(
        self,
        models: AcousticModels,
        scheduler: Scheduler,
        failed: Callable[[str, Exception], None],
        clock: Callable[[], float] = time.monotonic,
        stopwatch: Stopwatch | None = None,
    ) -> None:
        """failed: is told of an utterance whose work has failed, and may raise the error. stopwatch: of the models'
        device; None for a CPU's."""
        self._failed = failed
        self.totals = Totals()
        self._models = models
        self._scheduler = scheduler
        self._clock = clock
        self._stopwatch = stopwatch or HostStopwatch(clock)
        self._prefixes: dict[FlowVoice, HopJob] = {}
        # Utterances that have work, as of the last turn.
        self._streams = 0

    @property
    def prefix_jobs(self) -> int:
        """Voices whose prompt is being computed."""
        return len(self._prefixes)

    def begin_prefix(self, voice: FlowVoice) -> None:
        """Has the shared prompt chunks of a voice computed. Raises CacheFull when the flow has no memory for them."""
        if voice not in self._prefixes:
            job = self._models.flow.prefix_job(voice)
            if job is not None:
                self._prefixes[voice] = job

    def runnable(self, utterances: Iterable[AcousticUtterance], now_s: float) -> list[Hop[HopJob]]:
        """The hops that may run, and the prompts that hops wait for. Prompts that no hop waits for are cancelled."""
        costs = self._scheduler.costs
        hops: list[Hop[HopJob]] = []
        prefixes: dict[FlowVoice, Hop[HopJob]] = {}
        for utterance in utterances:
            stream, standing = utterance.stream, utterance.stream.standing
            if not may_work(standing, now_s):
                continue
            urgency = self._scheduler.hop_urgency(stream, now_s)
            if utterance.job is not None:
                after_s = costs.predict("vocoder", utterance.job.frames)
                hops.append(_hop(utterance.job, urgency, standing.due_s, after_s))
            elif utterance.needs_prefix and utterance.voice.flow in self._prefixes:
                flow = utterance.voice.flow
                other = prefixes.get(flow)
                if other is None or urgency < other.urgency:
                    hop_s = stream.hop_cost_s(costs)
                    prefixes[flow] = _hop(self._prefixes[flow], urgency, standing.due_s, hop_s)
        for flow in [f for f in self._prefixes if f not in prefixes]:  # no hop waits for it any more
            self._prefixes.pop(flow).cancel()
        return [*hops, *prefixes.values()]

    def due(self, utterances: Iterable[AcousticUtterance], now_s: float) -> list[tuple[str, float, int]]:
        """The hops of realtime utterances that may run: the utterance, where it is in its sound, and the step that is
        next. Batch work may wait without end."""
        found = []
        for utterance in utterances:
            standing = utterance.stream.standing
            if standing.service_class == "realtime" and may_work(standing, now_s):
                job = self._prefixes.get(utterance.voice.flow) if utterance.needs_prefix else utterance.job
                if job is not None:
                    found.append((utterance.name, utterance.audio_s, job.step))
        return found

    @torch.inference_mode()
    def turn(self, hops: list[Hop[HopJob]], utterances: Iterable[AcousticUtterance]) -> list[Audio]:
        """One turn of work. Returns the sound that goes out."""
        jobs = self._scheduler.share(hops, self._clock())
        if not jobs:
            return []
        utterances = list(utterances)
        self._streams = sum(not utterance.stream.idle for utterance in utterances)
        owners = {u.job: u for u in utterances if u.job is not None}
        frames = sum(job.frames for job in jobs)
        predicted_s = self._scheduler.costs.predict("step", frames)
        streams, heard = self._streams, [(owners[job], job.frames) for job in jobs if job in owners]

        def stepped(lap: Lap) -> None:
            self._scheduler.note("step", frames, lap.spent_s, streams)
            self.totals.flow_s += lap.spent_s
            for utterance, own_frames in heard:
                utterance.stream.timings.flow += lap.spent_s * own_frames / frames
                utterance.notes.step(lap.start_s, lap.end_s, predicted_s)

        self._stopwatch.begin()
        faults = self._tick(jobs)
        self._stopwatch.end(stepped)
        self.totals.steps += 1
        self.totals.rows += len(jobs)
        for flow in [f for f, job in self._prefixes.items() if job.done]:
            del self._prefixes[flow]
        for job, error in faults:
            self._fail(job, error, utterances)
        return self._decode([(owners[job], job.frames) for job in jobs if job.done and job in owners])

    def _tick(self, jobs: Sequence[HopJob]) -> list[tuple[HopJob, Exception]]:
        """One Euler step. Returns the jobs that cannot take it: where a batch fails, each of its jobs is tried alone,
        because a step that fails changes nothing that is kept."""
        steps = [job.step for job in jobs]
        try:
            self._models.flow.tick(jobs)
        except Exception as error:
            if leaves_doubt(error):
                raise
            if len(jobs) == 1:
                return [(jobs[0], error)]
            left = [job for job, step in zip(jobs, steps, strict=True) if job.step == step]
            return [fault for job in left for fault in self._tick([job])]
        return []

    def _fail(self, job: HopJob, error: Exception, utterances: Sequence[AcousticUtterance]) -> None:
        """Fails the owner of a hop, or all that wait for a prompt."""
        for flow in [f for f, prefix in self._prefixes.items() if prefix is job]:
            self._prefixes.pop(flow).cancel()
            for utterance in utterances:
                if utterance.voice.flow is flow and utterance.needs_prefix:
                    self._failed(utterance.name, error)
        for utterance in utterances:
            if utterance.job is job:
                self._failed(utterance.name, error)

    def _decode(self, finished: list[tuple[AcousticUtterance, int]]) -> list[Audio]:
        work: list[Decoding] = []
        for utterance, flow_frames in finished:
            try:
                done = utterance.finished_mel()
            except Exception as error:
                self._failed(utterance.name, error)
                continue
            if done is None:
                utterance.notes.hop_over(self._clock())
            else:
                work.append((utterance, flow_frames, done))
        if not work:
            return []
        frames = sum(mel.shape[1] for _, _, (_, mel, _) in work)
        predicted_s = self._scheduler.costs.predict("vocoder", frames)
        streams = self._streams

        def decoded(lap: Lap) -> None:
            self._scheduler.note("vocoder", frames, lap.spent_s, streams)
            self.totals.vocoder_s += lap.spent_s
            for utterance, _, (_, mel, _) in work:
                utterance.stream.timings.vocoder += lap.spent_s * mel.shape[1] / max(1, frames)

        start_s = self._clock()
        self._stopwatch.begin()
        waves = self._waves([(utterance.name, hop) for utterance, _, hop in work])
        self._stopwatch.end(decoded)
        sent, copies = self._fetch(work, waves)
        self._stopwatch.settle()  # the samples are here, so all work up to them is over
        now_s = self._clock()
        sounds: list[Audio] = []
        for (utterance, flow_frames, _), wave in zip(work, sent, strict=True):
            if wave is None:
                continue
            audio_s = wave.numel() / self._models.config.sample_rate
            self.totals.audio_s += audio_s
            self._scheduler.sound.note(flow_frames, audio_s)
            standing = utterance.stream.standing
            if standing.service_class == "batch":
                self._scheduler.served.add(standing.tenant, audio_s, now_s)
            try:
                sounds += utterance.take_wave(wave, now_s, copies)
            except Exception as error:
                self._failed(utterance.name, error)
                continue
            utterance.notes.sounded(start_s, now_s, predicted_s, utterance.audio_s)
        return sounds

    def _fetch(
        self, work: Sequence[Decoding], waves: Sequence[Tensor | None]
    ) -> tuple[list[Tensor | None], HostCopies]:
        """The samples as they are sent, and copies on the host of these and of what the resume records need: one
        transfer for all hops."""
        sent: list[Tensor | None] = []
        copies = HostCopies()
        for (utterance, _, _), wave in zip(work, waves, strict=True):
            sent.append(None if wave is None else utterance.pcm(wave))
            if sent[-1] is not None:
                copies.want(sent[-1], *utterance.kept_tensors)
        copies.fetch()
        return sent, copies

    def _waves(self, hops: Sequence[tuple[str, VocoderHop]]) -> list[Tensor | None]:
        """The samples of each hop; None for one whose utterance has failed. Where a batch fails, each hop is tried
        alone, because the vocoder changes nothing before all is done."""
        try:
            return [*self._models.vocoder.decode([hop for _, hop in hops])]
        except Exception as error:
            if leaves_doubt(error):
                raise
            if len(hops) > 1:
                return [wave for hop in hops for wave in self._waves([hop])]
            self._failed(hops[0][0], error)
            return [None]

    def load(self, utterances: Sequence[AcousticUtterance], waiting_hops: int, now_s: float) -> Load:
        """What the process has to do, and what that takes."""
        costs, places, totals = self._scheduler.crowded, self._scheduler.places, self.totals
        config, flow, memory = self._models.config, self._models.flow, self._models.flow.memory
        chunk = flow.config.chunk_tokens
        standings = [u.stream.standing for u in utterances if not u.stream.idle]
        begun = [s.playback for s in standings if s.service_class == "realtime" and s.playback.begun]
        steps, frames = flow.config.euler_steps, flow.config.chunk_frames
        acoustic_s = [costs.hop_s(steps, frames << power, frames << power) for power in range(places.hops.bit_length())]
        # The talker works beside flow and vocoder, and the slower of both bounds the streams.
        talker_s = self._scheduler.talker_s(chunk, config.talker.mix_ratio[1])
        hops_s = [max(hop_s, talker_s * (1 << power)) for power, hop_s in enumerate(acoustic_s)]
        first_tokens = self._models.voices.first_hop_tokens or chunk
        first_frames = first_tokens * flow.config.frames_per_token
        voices_bytes = memory.prefixes.size_bytes
        return Load(
            utterances=len(utterances),
            waiting_hops=waiting_hops,
            steps=totals.steps,
            rows=totals.rows,
            audio_s=totals.audio_s,
            flow_s=totals.flow_s,
            vocoder_s=totals.vocoder_s,
            slack_s=[round(playback.lead_s(now_s), 3) for playback in begun],
            hop_s=acoustic_s[0],
            hop_audio_s=self._scheduler.sound.sound_s(frames, chunk / config.token_rate_hz),
            first_hop_s=costs.hop_s(steps, frames, first_frames),
            hops_s=hops_s,
            first_quantum_s=costs.predict("quantum", first_tokens + flow.config.lookahead_tokens),
            kv_stream_bytes=memory.budget.in_use_bytes - voices_bytes,
            kv_voice_bytes=voices_bytes,
            kv_free_bytes=memory.budget.free_bytes + memory.prefixes.unused_bytes,
            kv_reserve_bytes=self._models.least_reserve_bytes,
        )


def _hop(job: HopJob, urgency: tuple[bool, float, float], due_s: float, after_s: float) -> Hop[HopJob]:
    return Hop(job, urgency, due_s, job.frames, job.steps - job.step, after_s)
