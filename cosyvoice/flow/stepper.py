"""The serving form of the flow: it advances the hops of many streams together, one Euler step at a time.

    memory = FlowMemory(config, kv_bytes=...)
    flow = FlowStepper(weights, memory)
    voice = flow.voice(prompt_tokens, prompt_mel, speaker_embedding)
    stream = FlowStream(flow, voice)
    job = stream.hop(tokens, final=False)
    while not job.done:
        flow.tick([job, *jobs_of_other_streams])
    job.mel
    stream.close()

A completed chunk of 50 frames never changes when more tokens follow: attention is causal by blocks, convolutions are
causal, the noise depends on the position only, and a hop waits for three tokens of look-ahead. So a chunk is computed
once. Its keys and values (for each Euler step, layer and guidance row) and the tails of the two convolutions stand for
it in later hops.

One thread uses a FlowStepper and its memory.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cosyvoice.errors import VoiceError
from cosyvoice.flow.estimator import Estimator
from cosyvoice.flow.flow import Flow
from cosyvoice.flow.hop import HopJob
from cosyvoice.flow.kv import KvSpan, spans_of
from cosyvoice.flow.memory import FlowMemory
from cosyvoice.flow.ode import NOISE_FRAMES, cosine_grid, flow_noise
from cosyvoice.flow.paged.estimator import Candidate, MakeKernels, SlotEstimator
from cosyvoice.flow.paged.plain import PlainKernels
from cosyvoice.flow.tails import Tails
from cosyvoice.flow.voice import FlowVoice
from cosyvoice.flow.weights import DitWeights
from cosyvoice.transfer import upload

_Module = TypeVar("_Module", bound=nn.Module)


class FlowStepper:
    """Makes jobs (runs of frames to compute) and advances them."""

    def __init__(
        self,
        weights: Flow,
        memory: FlowMemory,
        slot_classes: Sequence[int] = (),
        make_kernels: MakeKernels = PlainKernels,
    ) -> None:
        """Copies the weights to the memory's device and data type. What depends on the diffusion time alone is computed
        here, and its parameters are not kept (43 % of the released weights). So `weights` can be dropped after this.
        Noise, rotation and the state of the ODE are always fp32. Raises CheckpointError when the checkpoint's rotation
        is not the one that this code computes.

        slot_classes: for a paged memory, the numbers of slots that a step is padded to. () for no padding.
        make_kernels: for a paged memory, what computes slot by slot.
        """
        shape = memory.kv_shape

        def own(module: _Module) -> _Module:
            return copy.deepcopy(module).float().to(shape.device).requires_grad_(False).eval()

        self.config = config = weights.config
        self.memory = memory
        self.device = shape.device
        self._embedding = own(weights.input_embedding)
        self._lookahead = own(weights.pre_lookahead_layer)
        self._speaker = own(weights.spk_embed_affine_layer)
        times, deltas = cosine_grid(config.euler_steps)
        dit = weights.decoder.estimator
        self._weights = DitWeights(dit, times, config, dtype=shape.dtype, device=shape.device)
        self._estimator: Estimator | SlotEstimator = (
            Estimator(self._weights, deltas)
            if memory.pool is None
            else SlotEstimator(self._weights, deltas, memory.pool, slot_classes, make_kernels)
        )
        self._noise = flow_noise(config.mel_bins).to(shape.device)
        self._prefix_jobs: dict[FlowVoice, HopJob] = {}

    # Voices

    def voice(self, prompt_tokens: Tensor | Sequence[int], prompt_mel: Tensor, speaker: Tensor) -> FlowVoice:
        """Checks a prompt and puts it on the device. Computes nothing else.

        prompt_tokens: P ids, [P] or [1, P]; P may be 0. prompt_mel: log mel, [2P, mel_bins] or [1, 2P, mel_bins].
        speaker: [spk_embed_dim] or [1, spk_embed_dim]. Raises VoiceError when a size is wrong or an id is outside the
        vocabulary.
        """
        config = self.config
        tokens = _ids(prompt_tokens)
        self.check_ids(tokens, VoiceError)
        frames = len(tokens) * config.frames_per_token
        if prompt_mel.numel() != frames * config.mel_bins or prompt_mel.shape[-1] != config.mel_bins:
            raise VoiceError(
                f"prompt_mel: expected [{frames}, {config.mel_bins}] for {len(tokens)} prompt tokens, "
                f"found {list(prompt_mel.shape)}"
            )
        if speaker.numel() != config.spk_embed_dim:
            raise VoiceError(f"speaker: expected {config.spk_embed_dim} numbers, found {list(speaker.shape)}")
        with torch.no_grad():
            embedding = F.normalize(speaker.detach().float().reshape(1, -1).to(self.device), dim=1)
            return FlowVoice(
                tokens=tuple(tokens),
                mel=prompt_mel.detach().float().reshape(frames, config.mel_bins).to(self.device),
                speaker=self._speaker(embedding)[0],
                prefix_chunks=max(0, (len(tokens) - config.lookahead_tokens) // config.chunk_tokens),
            )

    def check_ids(self, ids: Sequence[int], error: type[Exception] = ValueError) -> None:
        """Raises `error` when an id is outside the vocabulary."""
        for i in ids:
            if not 0 <= i < self.config.vocab:
                raise error(f"speech tokens: expected ids 0..{self.config.vocab - 1}, found {i}")

    # Jobs

    def job(
        self,
        voice: FlowVoice,
        sequence: Sequence[int],
        position: int,
        *,
        final: bool,
        spans: list[KvSpan],
        tails_in: Tails | None,
        tails_out: Tails | None,
        left_frames: int | None = None,
        block_mask: bool = True,
        context_tokens: int = 0,
        on_done: Callable[[], None] | None = None,
        on_cancel: Callable[[], None] | None = None,
    ) -> HopJob:
        """The job for the tokens of `sequence` from `position` on. `sequence` starts with the voice's prompt. Unless
        `final`, it ends with the look-ahead tokens. Without `block_mask` every frame of the job sees every other.
        context_tokens: the tokens after the prompt that are context; their frames are not in `mel`, like the prompt's.
        HopJob explains the other arguments. Raises ValueError for more frames than there is noise for."""
        config = self.config
        ratio = config.frames_per_token
        first = position * ratio
        frames = self._frames(len(sequence), final) - first
        if first + frames > NOISE_FRAMES:
            raise ValueError(f"expected at most {NOISE_FRAMES} frames with the prompt, found {first + frames}")
        block_frames = config.chunk_frames if block_mask else frames
        context = min(position, self._lookahead.CONTEXT_TOKENS)
        with torch.no_grad():
            ids = upload([sequence[position - context :]], self.device)
            hidden = self._lookahead(self._embedding(ids), final=final, context=context)[0]
            cond = hidden.new_zeros((frames, config.mel_bins))
            prompt = voice.mel[first : first + frames]
            cond[: prompt.shape[0]] = prompt
            return HopJob(
                steps=config.euler_steps,
                state=self._noise[first : first + frames].clone(),
                condition=self._weights.condition(hidden.repeat_interleave(ratio, 0), voice.speaker, cond),
                first_frame=first,
                chunks=[(a, min(a + block_frames, frames)) for a in range(0, frames, block_frames)],
                spans=spans,
                tails_in=tails_in,
                tails_out=tails_out,
                unheard_frames=min(frames, max(0, (len(voice.tokens) + context_tokens) * ratio - first)),
                left_frames=left_frames,
                on_done=on_done,
                on_cancel=on_cancel,
            )

    def whole_job(
        self, voice: FlowVoice, tokens: Sequence[int], *, block_mask: bool, final: bool, context: Sequence[int] = ()
    ) -> HopJob:
        """The job for the prompt and all generated tokens in one pass, of which nothing is kept. Unless `final`, the
        last three tokens are look-ahead. Without `block_mask` every frame sees every other frame. context: tokens
        before the generated ones."""
        sequence = [*voice.tokens, *context, *tokens]
        spans = [self.memory.scratch_span(self._frames(len(sequence), final))]
        return self.job(
            voice,
            sequence,
            0,
            final=final,
            spans=spans,
            tails_in=None,
            tails_out=None,
            block_mask=block_mask,
            context_tokens=len(context),
        )

    def prefix_job(self, voice: FlowVoice) -> HopJob | None:
        """The job that computes the voice's prefix, to be ticked with others. None when there is nothing to compute.
        While the job runs, everyone who asks gets the same one.

        The job's memory counts from now on, so cancel a job that you do not run to its end. Raises CacheFull when there
        is no memory, which cannot happen while a reservation holds the voice.
        """
        if voice.prefix_chunks == 0 or voice in self.memory.prefixes:
            return None
        if voice in self._prefix_jobs:
            return self._prefix_jobs[voice]
        prefix = self.memory.hold_prefix(voice)

        def end(*, computed: bool) -> None:
            del self._prefix_jobs[voice]
            if computed:
                self.memory.prefixes.mark_ready(prefix)
            self.memory.release_prefix(prefix)

        end_token = voice.prefix_chunks * self.config.chunk_tokens + self.config.lookahead_tokens
        try:
            job = self.job(
                voice,
                voice.tokens[:end_token],
                0,
                final=False,
                spans=spans_of(prefix.blocks, 0),
                tails_in=None,
                tails_out=prefix.tails,
                on_done=lambda: end(computed=True),
                on_cancel=lambda: end(computed=False),
            )
        except BaseException:
            self.memory.release_prefix(prefix)
            raise
        self._prefix_jobs[voice] = job
        return job

    # Steps

    def speed_up(self, candidates: Sequence[Candidate], tell: Callable[[str], None]) -> None:
        """For a paged memory: takes the first way to compute a step that gives what plain PyTorch gives on random
        numbers. Call it when the memory's budget is final and nobody streams."""
        if isinstance(self._estimator, SlotEstimator):
            self._estimator.speed_up(candidates, tell)

    @torch.inference_mode()
    def tick(self, jobs: Sequence[HopJob]) -> None:
        """Advances every job by one Euler step, all in one batch. Jobs may differ in stream, voice, step and length.

        After its last step a job has its `mel`, and its stream has taken over what the job computed. Raises ValueError,
        and advances no job, when a job is done, cancelled or named twice.
        """
        if len(set(jobs)) != len(jobs):
            raise ValueError("tick: expected each job once")
        for job in jobs:
            if job.done or job.cancelled:
                raise ValueError(f"tick: expected running jobs, found one {'done' if job.done else 'cancelled'}")
        if not jobs:
            return
        for job, state in zip(jobs, self._estimator.next_states(jobs), strict=True):
            job.advance(state)

    def next_states(self, jobs: Sequence[HopJob]) -> list[Tensor]:
        """The state of each job after its next step, without advancing them: for measurements."""
        return self._estimator.next_states(jobs)

    def run(self, job: HopJob) -> Tensor:
        """Ticks one job to its end and returns its mel. A job that cannot be finished is cancelled."""
        try:
            while not job.done:
                self.tick([job])
        except BaseException:
            job.cancel()
            raise
        return job.mel

    def full(
        self,
        tokens: Tensor | Sequence[int],
        prompt_tokens: Tensor | Sequence[int],
        prompt_mel: Tensor,
        speaker: Tensor,
        *,
        block_mask: bool,
        finalize: bool,
        context: Sequence[int] = (),
    ) -> Tensor:
        """Mel [1, mel_bins, 2n] of n generated tokens after a prompt (as in `voice`), in one pass; nothing is kept.
        Without `finalize` the last three tokens are look-ahead and give no frames. With `block_mask` this is what
        streams compute; without it, it is the offline mode of the original, where every frame sees every other.
        context: the last tokens of the sequence before."""
        voice = self.voice(prompt_tokens, prompt_mel, speaker)
        generated = _ids(tokens)
        self.check_ids([*context, *generated])
        if self._frames(len(generated), finalize) < 1:
            raise ValueError(f"tokens: expected at least one with frames of its own, found {len(generated)} ids")
        return self.run(self.whole_job(voice, generated, block_mask=block_mask, final=finalize, context=context))[None]

    def _frames(self, tokens: int, final: bool) -> int:
        return (tokens - (0 if final else self.config.lookahead_tokens)) * self.config.frames_per_token


def _ids(tokens: Tensor | Sequence[int]) -> list[int]:
    return [int(i) for i in (tokens.flatten().tolist() if isinstance(tokens, Tensor) else tokens)]
