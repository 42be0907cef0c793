"""One piece of work for the flow: a run of frames on its way through the Euler steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

from cosyvoice.flow.cache import KvSpan


@dataclass(eq=False)
class HopJob:
    """A run of frames and everything a tick needs of them. Made by FlowStream.hop and friends; driven by
    PreparedFlow.tick, one Euler step a tick; read by `mel` once `done`.

    Until the last step nothing a stream keeps has changed: a job may be dropped or cancelled at any step, and the
    same hop made again.
    """

    steps: int
    state: Tensor  # x of the ODE, [frames, mel_bins] fp32, starting as noise
    condition: Tensor  # the conditional row's constant part of the input projection, [frames, dim]
    rotation: Tensor  # of each frame's absolute position, [frames, head_dim / 2] complex
    chunks: list[tuple[int, int]]  # frames first..last of each attention block: all its frames see up to last
    spans: list[KvSpan]
    tails_in: Tensor | None  # left context of the two convolutions, [steps, 2 convolutions, rows, dim, 30]; None: zeros
    tails_out: Tensor | None  # the same for the next job; None when there is none
    prompt_frames: int = 0  # leading frames that belong to the prompt and are not given out
    left_frames: int | None = (
        None  # frames before its block that an attention block sees, of spans not pinned; None: all
    )
    on_done: Callable[[], None] | None = None
    on_cancel: Callable[[], None] | None = None
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
        return self.state[self.prompt_frames :].t().contiguous()

    def cancel(self) -> None:
        """Stops the job; it can not be ticked again. Nothing happens to one that is done or cancelled."""
        if not self.done and not self.cancelled:
            self.cancelled = True
            on_cancel = self.on_cancel
            self._let_go()
            if on_cancel is not None:
                on_cancel()

    def advance(self) -> None:
        """Counts one step; after the last, what the job computed becomes part of its stream."""
        self.step += 1
        if self.done:
            on_done = self.on_done
            self._let_go()
            if on_done is not None:
                on_done()

    def _let_go(self) -> None:
        """Drops the caches: a caller that keeps the job for its mel keeps no stream's memory."""
        self.spans = []
        self.tails_in = self.tails_out = None
        self.on_done = self.on_cancel = None
