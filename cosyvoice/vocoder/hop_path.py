"""What one hop of each row of a batch computes, as tensors: the part of the vocoder that a GPU can repeat."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from torch import Tensor

from cosyvoice.config import VocoderConfig
from cosyvoice.graphs import Capture, GraphRun
from cosyvoice.self_check import relative_deviation
from cosyvoice.vocoder.hop_window import HopWindow, context_frames, hop_window

# Rows of a captured batch. A larger batch is divided.
GRAPH_ROWS = (1, 2, 4, 8)
# How far a captured hop may deviate, as a share. Both compute in float32, perhaps with other kernels.
TOLERANCE = 1e-3


class HopInputs(NamedTuple):
    """Of each row. What is known of earlier frames is in f0 and cycles."""

    # [rows, mel_bins, frames], from the window's first frame on.
    mel: Tensor
    # [rows, frames known], float64.
    f0: Tensor
    # [rows, frames known, harmonics + 1], float64.
    cycles: Tensor
    # [rows, frames whose excitation is made, samples_per_frame].
    noise: Tensor


class HopOutputs(NamedTuple):
    """Of each row."""

    # [rows, new frames * samples_per_frame].
    wave: Tensor
    # As in the inputs, with the new frames at the end.
    f0: Tensor
    cycles: Tensor


# Computes a hop that is not a stream's last.
HopPath = Callable[[HopWindow, HopInputs], HopOutputs]
# Makes inputs of random numbers for a window and a number of rows.
HopExample = Callable[[HopWindow, int], HopInputs]


class GraphHops:
    """A path with captured hops for some windows and numbers of rows. All others are computed without that."""

    def __init__(self, hop: HopPath, windows: Iterable[HopWindow], like: HopExample, capture: Capture) -> None:
        self._hop = hop
        self._runs: dict[tuple[HopWindow, int], GraphRun] = {}
        # The largest first: the others fit into its memory.
        for rows in reversed(GRAPH_ROWS):
            for window in sorted(windows, key=lambda window: window.past + window.new, reverse=True):

                def run(*inputs: Tensor, window: HopWindow = window) -> tuple[Tensor, ...]:
                    return hop(window, HopInputs(*inputs))

                self._runs[window, rows] = GraphRun(run, like(window, rows), capture)

    def __call__(self, window: HopWindow, inputs: HopInputs) -> HopOutputs:
        used = len(inputs.mel)
        run = self._runs.get((window, next((rows for rows in GRAPH_ROWS if rows >= used), 0)))
        if run is None:
            return self._hop(window, inputs)
        return HopOutputs(*(output[:used] for output in run(*inputs)))


def hop_deviation(plain: HopPath, other: HopPath, like: HopExample, size: tuple[HopWindow, int]) -> float:
    """How far `other` deviates for random rows of this window, as a share of what is right. It computes other rows
    first, so that a captured hop which does not read its inputs anew is found."""
    inputs, others = like(*size), like(*size)
    other(size[0], others)
    found, right = other(size[0], inputs), plain(size[0], inputs)
    return max(map(relative_deviation, found, right))


def windows_of(
    config: VocoderConfig,
    held_frames: int,
    lead_frames: int,
    firsts: Sequence[int],
    frames: int,
    size: Callable[[int], int],
) -> list[HopWindow]:
    """The windows of streams whose first hop has a number of mel frames of `firsts`, and whose others have `frames`.
    size: what the vocoder rounds the frames of a hop to."""
    windows: dict[HopWindow, None] = {}
    for first in firsts:
        emitted = received = lead_frames
        # After a few hops a stream has all the context that a window reads.
        for more in (first, *[frames] * (2 + context_frames(config) // frames)):
            received += more
            new = received - held_frames - emitted
            if new > 0:
                past = min(emitted, context_frames(config))
                windows[hop_window(config, past, size(new), leads=emitted == lead_frames)] = None
                emitted += new
    return list(windows)
