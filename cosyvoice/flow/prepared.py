"""The flow for serving: exact, incremental, batched over streams.

    flow = Flow(config); flow.load_state_dict(...); flow = flow.prepare(kv_bytes=...)
    voice = flow.voice(prompt_tokens, prompt_mel, speaker_embedding)
    stream = flow.open(voice)
    job = stream.hop(tokens, final=False)
    while not job.done:
        flow.tick([job, *jobs_of_other_streams])
    job.mel
    stream.close()

A completed 50-frame chunk never changes when more tokens follow (block-causal attention, causal convolutions, noise
fixed by position, three tokens of look-ahead), so its keys and values per Euler step, guidance row and layer, with
the two 30-frame convolution tails, stand in for recomputing it. One thread drives one PreparedFlow.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cosyvoice.errors import VoiceError
from cosyvoice.flow.budget import KvBudget
from cosyvoice.flow.cache import KvShape, KvSpan
from cosyvoice.flow.estimator import CONVOLUTIONS, TAIL_FRAMES, Estimator
from cosyvoice.flow.hop import HopJob
from cosyvoice.flow.ode import NOISE_FRAMES, cosine_grid, flow_noise
from cosyvoice.flow.prefix import prefix_job, release_prefix
from cosyvoice.flow.reservation import FlowReservation, reserve
from cosyvoice.flow.stream import FlowStream
from cosyvoice.flow.voice import FlowVoice, PrefixStore

if TYPE_CHECKING:
    from cosyvoice.flow.flow import Flow

_Module = TypeVar("_Module", bound=nn.Module)


class PreparedFlow:
    """Made by `Flow.prepare`, which explains the arguments."""

    def __init__(
        self, flow: Flow, *, kv_bytes: int, block_chunks: int | None, dtype: torch.dtype, device: torch.device
    ) -> None:
        on_cpu = device.type == "cpu"
        if block_chunks is None:
            block_chunks = 20 if on_cpu else 4
        if block_chunks < 1:
            raise ValueError(f"block_chunks: expected at least 1, found {block_chunks}")

        def own(module: _Module) -> _Module:
            return copy.deepcopy(module).float().to(device).requires_grad_(False).eval()

        config = flow.config
        self.config = config
        self.device = device
        self.block_frames = block_chunks * config.chunk_frames
        self.grain_frames = config.chunk_frames if on_cpu else self.block_frames
        self.prefixes = PrefixStore()
        self.budget = KvBudget(kv_bytes, self.prefixes.reclaim)
        self.kv_shape = KvShape(
            config.euler_steps, config.dit.depth, config.rows, config.dit.heads, config.dit.head_dim, dtype, device
        )
        self._embedding = own(flow.input_embedding)
        self._lookahead = own(flow.pre_lookahead_layer)
        self._speaker = own(flow.spk_embed_affine_layer)
        times, self._deltas = cosine_grid(config.euler_steps)
        self._estimator = Estimator(flow.decoder.estimator, times, config, dtype=dtype, device=device)
        self._noise = flow_noise(config.mel_bins).to(device)

    # Voices

    def voice(self, prompt_tokens: Tensor | Sequence[int], prompt_mel: Tensor, speaker: Tensor) -> FlowVoice:
        """Checks a prompt and puts it on the device; computes nothing yet.

        prompt_tokens: P ids, [P] or [1, P]; prompt_mel [2P, mel_bins] or [1, 2P, mel_bins], log mel; speaker
        [spk_embed_dim] or [1, spk_embed_dim]. P may be 0. Raises VoiceError when sizes do not fit each other or the
        model, or an id is none of the vocabulary's.
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

    def prefix_job(self, voice: FlowVoice) -> HopJob | None:
        """The job that computes the voice's shared prompt chunks, to be ticked along with others; None when there is
        nothing to compute. The same job for all who ask while it is under way. Cancel it if it is not run to its end:
        its memory counts from now. Raises CacheFull when there is none, unless the voice is held by a reservation.
        """
        return prefix_job(self, voice)

    # Streams

    def reserve(
        self,
        voice: FlowVoice,
        tokens: int,
        *,
        min_window_tokens: int | None = None,
        max_window_tokens: int | None = None,
    ) -> FlowReservation:
        """Memory for streams in this voice, one after another, of at most `tokens` generated tokens each: their hops
        cannot meet CacheFull. Holds the voice's prefix, too, or memory for it: its `prefix_job` cannot, either.

        What unused voices hold makes room. Where that is not enough, and with `min_window_tokens`, streams keep a
        window of half the frames, a quarter and so on, of at least so many tokens. `max_window_tokens` starts with a
        window of so many. Raises CacheFull, and takes nothing, when the least does not fit; ValueError for less than
        one token.
        """
        return reserve(self, voice, tokens, min_window_tokens, max_window_tokens)

    def open(self, voice: FlowVoice, *, reservation: FlowReservation | None = None) -> FlowStream:
        """A new stream of mel in this voice. Computes the voice's prefix first when it is not in memory (run
        `prefix_job` before to have that in ticks).

        reservation: whose memory the stream uses; it must be the voice's, and have no other stream open (ValueError).
        Without one, raises CacheFull when the budget does not hold what a stream starts with, and so may its hops.
        """
        if reservation is not None:
            reservation.check_free(voice)
        if (job := self.prefix_job(voice)) is not None:
            self.run(job)
        prefix = self.prefixes.acquire(voice)
        try:
            return FlowStream(self, voice, prefix, reservation)
        except Exception:
            if prefix is not None:
                release_prefix(self, prefix)
            raise

    @torch.inference_mode()
    def tick(self, jobs: Sequence[HopJob]) -> None:
        """Advances every job by one Euler step, as one batch. Jobs may differ in stream, voice, step and length.

        A job that takes its last step has its `mel`, and its stream has it committed. Raises ValueError, and advances
        none, for a job that is done, cancelled or named twice.
        """
        if len(set(jobs)) != len(jobs):
            raise ValueError("tick: expected each job once")
        for job in jobs:
            if job.done or job.cancelled:
                raise ValueError(f"tick: expected running jobs, found one {'done' if job.done else 'cancelled'}")
        if not jobs:
            return
        velocity = self._estimator.velocity(jobs)
        first = 0
        for job in jobs:
            job.state.add_(velocity[first : first + job.frames], alpha=self._deltas[job.step])
            first += job.frames
        for job in jobs:
            job.advance()

    def run(self, job: HopJob) -> Tensor:
        """Ticks one job to its end; its mel. A job that cannot be finished is cancelled."""
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
    ) -> Tensor:
        """Everything in one pass and nothing kept: mel [1, mel_bins, 2n] of n generated tokens, after a prompt as in
        `voice`. Without `finalize` the last three tokens are look-ahead and give no frames. `block_mask` True is what
        streams compute; False, every frame sees every other, is the original's offline mode."""
        voice = self.voice(prompt_tokens, prompt_mel, speaker)
        generated = _ids(tokens)
        self.check_ids(generated)
        sequence = [*voice.tokens, *generated]
        frames = self._frames(len(sequence), finalize)
        if len(generated) - (0 if finalize else self.config.lookahead_tokens) < 1:
            raise ValueError(f"tokens: expected at least one with frames of its own, found {len(generated)} ids")
        spans = [self.scratch_span(frames)]
        job = self.job(voice, sequence, 0, final=finalize, spans=spans, tails_in=None, tails_out=None)
        if not block_mask:
            job.chunks = [(0, frames)]
        return self.run(job)[None]

    # What streams are made with

    def job(
        self,
        voice: FlowVoice,
        sequence: Sequence[int],
        position: int,
        *,
        final: bool,
        spans: list[KvSpan],
        tails_in: Tensor | None,
        tails_out: Tensor | None,
        left_frames: int | None = None,
    ) -> HopJob:
        """The job for tokens `position`.. of `sequence`, which starts with the voice's prompt and, unless `final`,
        ends with the look-ahead tokens. Raises ValueError beyond the noise's length."""
        config = self.config
        ratio = config.frames_per_token
        first = position * ratio
        frames = self._frames(len(sequence), final) - first
        if first + frames > NOISE_FRAMES:
            raise ValueError(f"expected at most {NOISE_FRAMES} frames with the prompt, found {first + frames}")
        context = min(position, self._lookahead.CONTEXT_TOKENS)
        with torch.no_grad():
            ids = torch.tensor([sequence[position - context :]], device=self.device)
            hidden = self._lookahead(self._embedding(ids), final=final, context=context)[0]
            cond = hidden.new_zeros((frames, config.mel_bins))
            prompt = voice.mel[first : first + frames]
            cond[: prompt.shape[0]] = prompt
            return HopJob(
                steps=config.euler_steps,
                state=self._noise[first : first + frames].clone(),
                condition=self._estimator.condition(hidden.repeat_interleave(ratio, 0), voice.speaker, cond),
                rotation=self._estimator.rotation[first : first + frames],
                chunks=[(a, min(a + config.chunk_frames, frames)) for a in range(0, frames, config.chunk_frames)],
                spans=spans,
                tails_in=tails_in,
                tails_out=tails_out,
                prompt_frames=prompt.shape[0],
                left_frames=left_frames,
            )

    def check_ids(self, ids: Sequence[int], error: type[Exception] = ValueError) -> None:
        """Raises `error` when an id is none of the vocabulary's."""
        for i in ids:
            if not 0 <= i < self.config.vocab:
                raise error(f"speech tokens: expected ids 0..{self.config.vocab - 1}, found {i}")

    def scratch_span(self, frames: int) -> KvSpan:
        """Where a job puts keys and values that no later job reads."""
        return KvSpan(self.kv_shape.scratch(frames), 0, frames)

    def new_tails(self) -> Tensor:
        """[steps, 2 convolutions, rows, dim, 30], to be written by a job."""
        return torch.empty(self._tails_size, dtype=self.kv_shape.dtype, device=self.device)

    @property
    def tails_bytes(self) -> int:
        return torch.Size(self._tails_size).numel() * self.kv_shape.dtype.itemsize

    @property
    def _tails_size(self) -> tuple[int, ...]:
        return self.config.euler_steps, CONVOLUTIONS, self.config.rows, self.config.dit.dim, TAIL_FRAMES

    def _frames(self, tokens: int, final: bool) -> int:
        return (tokens - (0 if final else self.config.lookahead_tokens)) * self.config.frames_per_token


def _ids(tokens: Tensor | Sequence[int]) -> list[int]:
    return [int(i) for i in (tokens.flatten().tolist() if isinstance(tokens, Tensor) else tokens)]
