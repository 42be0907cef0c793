"""A hop's job: a run of frames that goes through the Euler steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

from cosyvoice.flow.kv import KvSpan
from cosyvoice.flow.tails import Tails


@dataclass(eq=False)
class HopJob:
    """A run of frames and everything that a tick needs of them. Made by FlowStepper.job, advanced by FlowStepper.tick.
    `mel` can be read when it is `done`.

    Before the last step nothing that a stream keeps has changed: a job can be dropped or cancelled at any step, and the
    same hop can be made again.
    """

    # Euler steps in all.
    steps: int
    # x of the ODE, [frames, mel_bins] fp32; it starts as noise.
    state: Tensor
    # The part of the conditional row's input projection that does not change, [frames, dim].
    condition: Tensor
    # Its first frame, counted from the prompt's start.
    first_frame: int
    # Attention blocks as (first, end) frames. The frames of a block see everything before its end.
    chunks: list[tuple[int, int]]
    # Keys and values that the job sees, oldest first, its own included.
    spans: list[KvSpan]
    # Left context of the two convolutions; None: zeros.
    tails_in: Tails | None
    # The same for the next job; None when there is no next job.
    tails_out: Tails | None
    # Frames at the start that belong to the prompt or the context and are not in `mel`.
    unheard_frames: int = 0
    # How many frames before its own an attention block sees, pinned spans not counted; None: all.
    left_frames: int | None = None
    # Called after the last step.
    on_done: Callable[[], None] | None = None
    # Called by `cancel`.
    on_cancel: Callable[[], None] | None = None
    # Euler steps that are done.
    step: int = field(default=0, init=False)
    cancelled: bool = field(default=False, init=False)

    @property
    def frames(self) -> int:
        return self.state.shape[0]

    @property
    def done(self) -> bool:
        return self.step == self.steps

    @property
    def mel(self) -> Tensor:
        """The generated frames, [mel_bins, frames] fp32. Raises ValueError before the last step."""
        if not self.done:
            raise ValueError(f"mel: expected a job after step {self.steps}, found one at step {self.step}")
        return self.state[self.unheard_frames :].t().contiguous()

    def cancel(self) -> None:
        """Stops the job; it cannot be ticked again. Does nothing when the job is done or cancelled already."""
        if not self.done and not self.cancelled:
            self.cancelled = True
            on_cancel = self.on_cancel
            self._let_go()
            if on_cancel is not None:
                on_cancel()

    def advance(self, state: Tensor) -> None:
        """One step is done, after which x is `state`. After the last step `on_done` makes the result part of the
        stream."""
        self.state = state
        self.step += 1
        if self.done:
            on_done = self.on_done
            self._let_go()
            if on_done is not None:
                on_done()

    def _let_go(self) -> None:
        """Drops the references to caches, so that a caller that keeps the job for its mel does not keep that memory."""
        self.spans = []
        self.tails_in = self.tails_out = None
        self.on_done = self.on_cancel = None
