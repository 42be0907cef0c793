"""The acoustic process's turns: one Euler step for the hops whose turn it is, then the vocoder for those done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch

from cosyvoice.flow.hop import HopJob
from cosyvoice.flow.voice import FlowVoice
from rtserver.engine.acoustic.models import AcousticModels
from rtserver.engine.acoustic.utterance import AcousticUtterance
from rtserver.ipc.engine import Audio
from rtserver.schedule.batch import Hop
from rtserver.schedule.scheduler import Scheduler
from rtserver.schedule.standing import may_work


@dataclass
class Totals:
    """Since the start. rows: hops summed over the Euler steps (`steps`), so that rows / steps is the mean batch;
    audio_s: made; seconds of work by stage."""

    steps: int = 0
    rows: int = 0
    audio_s: float = 0.0
    flow_s: float = 0.0
    vocoder_s: float = 0.0


class Turns:
    """Every turn advances the most urgent hops by one Euler step, so that nobody waits for more than a step."""

    def __init__(self, models: AcousticModels, scheduler: Scheduler, clock: Callable[[], float] = time.monotonic):
        self.totals = Totals()
        self._models = models
        self._scheduler = scheduler
        self._clock = clock
        self._prefixes: dict[FlowVoice, HopJob] = {}
        self._streams = 0  # that are made now

    @property
    def prefix_jobs(self) -> int:
        """Prompts under way."""
        return len(self._prefixes)

    def begin_prefix(self, voice: FlowVoice) -> None:
        """Has a voice's shared prompt chunks computed. CacheFull when the flow has no memory for them."""
        if voice not in self._prefixes:
            job = self._models.flow.prefix_job(voice)
            if job is not None:
                self._prefixes[voice] = job

    def runnable(self, voicings: Iterable[AcousticUtterance], now_s: float) -> list[Hop[HopJob]]:
        """The hops that may run, and the prompts that hops wait for."""
        costs = self._scheduler.costs
        hops: list[Hop[HopJob]] = []
        prefixes: dict[FlowVoice, Hop[HopJob]] = {}
        for voicing in voicings:
            standing = voicing.standing
            if not may_work(standing, now_s):
                continue
            urgency = self._scheduler.hop_urgency(voicing, now_s)
            if voicing.job is not None:
                after_s = costs.predict("vocoder", voicing.job.frames)
                hops.append(_hop(voicing.job, urgency, standing.due_s, after_s))
            elif voicing.needs_prefix and voicing.voice.flow in self._prefixes:
                flow = voicing.voice.flow
                other = prefixes.get(flow)
                if other is None or urgency < other.urgency:
                    hop_s = voicing.hop_cost_s(costs)
                    prefixes[flow] = _hop(self._prefixes[flow], urgency, standing.due_s, hop_s)
        for flow in [f for f in self._prefixes if f not in prefixes]:  # nobody waits for it any more
            self._prefixes.pop(flow).cancel()
        return [*hops, *prefixes.values()]

    @torch.inference_mode()
    def turn(self, hops: list[Hop[HopJob]], voicings: Iterable[AcousticUtterance]) -> list[Audio]:
        """One turn of work; the sound that goes out."""
        jobs = self._scheduler.share(hops, self._clock())
        if not jobs:
            return []
        voicings = list(voicings)
        self._streams = sum(not voicing.idle for voicing in voicings)
        owners = {v.job: v for v in voicings if v.job is not None}
        frames = sum(job.frames for job in jobs)
        start_s = self._clock()
        self._models.flow.tick(jobs)
        spent_s = self._clock() - start_s
        self._scheduler.note("step", frames, spent_s, self._streams)
        self.totals.steps += 1
        self.totals.rows += len(jobs)
        self.totals.flow_s += spent_s
        for job in jobs:
            if job in owners:
                owners[job].seconds.flow += spent_s * job.frames / frames
        for flow in [f for f, job in self._prefixes.items() if job.done]:
            del self._prefixes[flow]
        return self._decode([(owners[job], job.frames) for job in jobs if job.done and job in owners])

    def _decode(self, finished: list[tuple[AcousticUtterance, int]]) -> list[Audio]:
        work = [(v, frames, mels) for v, frames in finished if (mels := v.finished_mel()) is not None]
        if not work:
            return []
        frames = sum(mel.shape[1] for _, _, (_, mel, _) in work)
        start_s = self._clock()
        waves = self._models.vocoder.decode([mels for _, _, mels in work])
        now_s = self._clock()
        spent_s = now_s - start_s
        self._scheduler.note("vocoder", frames, spent_s, self._streams)
        self.totals.vocoder_s += spent_s
        sounds: list[Audio] = []
        for (voicing, flow_frames, (_, mel, _)), wave in zip(work, waves, strict=True):
            voicing.seconds.vocoder += spent_s * mel.shape[1] / max(1, frames)
            audio_s = wave.numel() / self._models.config.sample_rate
            self.totals.audio_s += audio_s
            self._scheduler.sound.note(flow_frames, audio_s)
            if voicing.standing.service_class == "batch":
                self._scheduler.served.add(voicing.standing.tenant, audio_s, now_s)
            sounds += voicing.take_wave(wave, now_s)
        return sounds


def _hop(job: HopJob, urgency: tuple[bool, float, float], due_s: float, after_s: float) -> Hop[HopJob]:
    return Hop(job, urgency, due_s, job.frames, job.steps - job.step, after_s)
