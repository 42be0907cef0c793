"""The incremental vocoder: it turns each stream's new mel into its next samples. Hops of one shape run as one batch."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from cosyvoice.errors import StreamError
from cosyvoice.graphs import Capture
from cosyvoice.self_check import first_right
from cosyvoice.vocoder.hift import Hift
from cosyvoice.vocoder.hop_path import (
    GRAPH_ROWS,
    TOLERANCE,
    GraphHops,
    HopInputs,
    HopOutputs,
    HopPath,
    hop_deviation,
    windows_of,
)
from cosyvoice.vocoder.hop_window import HopWindow, context_frames, hop_window, known_f0_frames, least_held_frames
from cosyvoice.vocoder.sine_noise import default_noise
from cosyvoice.vocoder.source import Phase
from cosyvoice.vocoder.stream import VocoderStream

# On a CPU torch's convolutions use oneDNN. It compiles about 90 kernels for each shape of a hop, and by default keeps
# 1024: with a dozen shapes each hop would be compiled again, which doubles its cost. A shape takes about 4 MB. oneDNN
# reads this at the first convolution of the process.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "8192")


@dataclass
class _Job:
    """One stream's part of a `decode` call: the frames that it can output, and its state after that."""

    stream: VocoderStream
    mel: Tensor
    final: bool
    new: int
    f0: Tensor
    cycles: Tensor
    wave: Tensor

    def commit(self) -> None:
        self.stream.advance(self.new, self.mel, self.f0, self.cycles)
        if self.final:
            self.stream.finish()


class Vocoder:
    """Decodes mel to a 24 kHz wave, hop by hop. The samples of a stream depend neither on how its mel was cut into hops
    nor on the other streams of a batch, up to float32 rounding.

    noise: the table of excitation noise [samples, harmonics + 1], by absolute sample; default: the original's. After
    its end (60 s) a stream starts it again.
    phase: see `HarmonicSource.advance`; "fp32" is for parity only.
    held_frames: frames that are held back until more mel comes; default: 8, as in the original. The samples are the
    same for any number from `least_held_frames(config)` (5) on; 5 instead of 8 gives them 60 ms earlier.
    lead_frames, lead_log_mel: this many mel frames of this level are the left context of every stream's first frame.
    Default: none, as in the original; the convolutions then see zeros there, which are no silence.
    """

    def __init__(
        self,
        hift: Hift,
        *,
        noise: Tensor | None = None,
        phase: Phase = "fp64",
        held_frames: int | None = None,
        lead_frames: int = 0,
        lead_log_mel: float = 0.0,
    ) -> None:
        self.hift = hift
        hift.pack()
        self.config = hift.config
        self.phase = phase
        self.held_frames = self.config.held_frames if held_frames is None else held_frames
        least = least_held_frames(self.config)
        if self.held_frames < least:
            raise ValueError(f"held_frames: expected at least {least}, found {held_frames}")
        table = default_noise(self.config) if noise is None else noise
        frames = table.shape[0] // self.config.samples_per_frame
        channels = self.config.harmonics + 1
        if table.dim() != 2 or table.shape[1] != channels or frames == 0:
            raise ValueError(f"noise: expected [samples, {channels}] of at least a frame, found {list(table.shape)}")
        if not 0 <= lead_frames <= context_frames(self.config):
            raise ValueError(f"lead_frames: expected 0 to {context_frames(self.config)}, found {lead_frames}")
        self._weight = hift.m_source.l_linear.weight.detach()
        self._lead = self._weight.new_full((self.config.mel_bins, lead_frames), lead_log_mel)
        with torch.no_grad():
            mixed = hift.m_source.mix_noise(table[: frames * self.config.samples_per_frame].to(self._weight))
        self._noise = mixed.view(frames, self.config.samples_per_frame)
        # For hops that are not their stream's last. None: as plain PyTorch launches them.
        self._graphs: HopPath | None = None

    def speed_up(self, capture: Capture, firsts: Sequence[int], frames: int, tell: Callable[[str], None]) -> None:
        """Captures the hops that streams will have, and uses them if what they give is right. firsts: mel frames of
        first hops. frames: of all others. Call it when nobody streams."""
        windows = windows_of(self.config, self.held_frames, self._lead.shape[1], firsts, frames, size_class)
        sizes = {
            f"{rows} rows of {window.new} frames after {window.past}": (window, rows)
            for window in windows
            for rows in GRAPH_ROWS
        }

        @torch.inference_mode()
        def deviation(path: HopPath, size: tuple[HopWindow, int]) -> float:
            return hop_deviation(self.hop, path, self._random_inputs, size)

        @torch.inference_mode()
        def captured() -> HopPath:
            return GraphHops(self.hop, windows, self._random_inputs, capture)

        self._graphs = first_right("the vocoder", [("CUDA graphs", captured)], deviation, sizes, TOLERANCE, tell)

    def open(self) -> VocoderStream:
        """A stream at its start."""
        return VocoderStream.start(self.config, self.phase, self._lead)

    def restore(self, record: Mapping[str, Any]) -> VocoderStream:
        """The stream that `VocoderStream.resume_record` described. Raises StreamError when it is of another vocoder."""
        return VocoderStream.restore(record, self.config, self.phase, self._lead)

    @torch.inference_mode()
    def decode(self, jobs: Sequence[tuple[VocoderStream, Tensor, bool]]) -> list[Tensor]:
        """Feeds each stream new mel [mel_bins, n] (n may be 0), which is the stream's last when its third value is
        True.

        Returns a wave for each stream, float32 [samples] on the weights' device: all samples that cannot change any
        more and are not out yet. In all, a stream's waves have `samples_per_frame * (received - held_frames)` samples,
        and `samples_per_frame * received` after its last mel. Hops of one size class run as one batch. Raises
        StreamError before anything is computed; after any error all streams are as they were.
        """
        if len({id(stream) for stream, _, _ in jobs}) < len(jobs):
            raise StreamError("vocoder: expected each stream once in a batch, found one twice")
        prepared = [self._prepare(*job) for job in jobs]
        groups: dict[tuple[HopWindow, bool], list[_Job]] = {}
        for job in prepared:
            if job.new > 0:
                stream, size = job.stream, size_class(job.new)
                window = hop_window(self.config, stream.past_frames, size, leads=stream.at_start)
                # A stream's last hop is no captured one, and would keep the others of its batch from being one.
                groups.setdefault((window, job.final and self._graphs is not None), []).append(job)
        for (window, _), group in groups.items():
            for rows in self._batches(len(group)):
                self._run(window, [group.pop() for _ in range(rows)])
        for job in prepared:
            job.commit()
        return [job.wave for job in prepared]

    def _prepare(self, stream: VocoderStream, mel: Tensor, final: bool) -> _Job:
        if stream.finished:
            raise StreamError(f"vocoder: expected no more mel after the final one, found {mel.shape[-1]} frames")
        if mel.dim() != 2 or mel.shape[0] != self.config.mel_bins:
            raise StreamError(f"vocoder: expected mel [{self.config.mel_bins}, frames], found {list(mel.shape)}")
        if stream.config != self.config or stream.phase != self.phase:
            raise StreamError("vocoder: expected a stream that this vocoder opened, found another's")
        mel = torch.cat([stream.mel, mel.to(self._weight)], dim=1)
        settled = stream.first_frame + mel.shape[1] - (0 if final else self.held_frames)
        new = max(0, settled - stream.emitted_frames)
        return _Job(stream, mel, final, new, stream.f0, stream.cycles, self._weight.new_zeros(0))

    def _batches(self, rows: int) -> list[int]:
        """The sizes of the batches of a group. On a CPU oneDNN compiles each convolution for each new shape, which
        takes as long as a second of audio. More than four rows at once gain little. So batches have 4, 2 or 1 rows."""
        if self._graphs is not None:
            most = GRAPH_ROWS[-1]
            return [most] * (rows // most) + [rows % most] * (rows % most > 0)
        if self._weight.device.type != "cpu":
            return [rows]
        return [4] * (rows // 4) + [2] * (rows % 4 // 2) + [1] * (rows % 2)

    def _noise_from(self, frame: int, count: int) -> Tensor:
        """The noise of this many frames of a stream, [count, samples_per_frame]. The table begins again at its end."""
        parts = []
        while count > 0:
            parts.append(self._noise[frame % len(self._noise) :][:count])
            frame, count = frame + len(parts[-1]), count - len(parts[-1])
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _run(self, window: HopWindow, group: list[_Job]) -> None:
        """Decodes one hop of each stream of a batch, and puts waves and new states into the jobs."""
        frames, heard = self._mel_frames(window), slice(window.source_start, window.source_stop)
        count = heard.stop - heard.start
        inputs = HopInputs(
            mel=torch.stack([F.pad(job.mel[:, :frames], (0, max(0, frames - job.mel.shape[1]))) for job in group]),
            f0=torch.stack([job.f0 for job in group]),
            cycles=torch.stack([job.cycles for job in group]),
            noise=torch.stack([self._noise_from(job.stream.first_frame + heard.start, count) for job in group]),
        )
        ends = [job.new if job.final else None for job in group]
        path = None if any(ends) else self._graphs
        outputs = self.hop(window, inputs, ends) if path is None else path(window, inputs)
        for row, job in enumerate(group):
            # Frames after the row's own hop, which the size class adds, are neither output nor kept.
            known = known_f0_frames(self.config, window.past + job.new)
            job.f0, job.cycles = outputs.f0[row, :known], outputs.cycles[row, :known]
            job.wave = outputs.wave[row, : job.new * self.config.samples_per_frame].clone()

    def hop(self, window: HopWindow, inputs: HopInputs, ends: Sequence[int | None] = ()) -> HopOutputs:
        """What one hop of each row computes. ends: see `Hift.synthesise`; () for rows that all go on."""
        config, source = self.config, self.hift.m_source
        new_f0 = self.hift.f0_predictor(
            inputs.mel[..., window.f0_start : window.source_stop + config.f0_look_right_frames],
            skip=window.f0_skip,
            final=False,
        )
        known = inputs.cycles
        carried = known[:, -1] if known.shape[1] else known.new_zeros(len(known), config.harmonics + 1)
        f0 = torch.cat([inputs.f0, new_f0], dim=1)
        cycles = torch.cat([known, source.advance(new_f0, carried, self.phase)], dim=1)
        heard = slice(window.source_start, window.source_stop)
        excitation = source(f0[:, heard], source.sines(cycles[:, heard], self.phase), inputs.noise)
        mel = inputs.mel[..., window.mel_start : window.mel_stop]
        return HopOutputs(self.hift.synthesise(mel, excitation, window, ends or [None] * len(mel)), f0, cycles)

    def _mel_frames(self, window: HopWindow) -> int:
        """Frames of mel that a hop reads."""
        return max(window.mel_stop, window.source_stop + self.config.f0_look_right_frames)

    def _random_inputs(self, window: HopWindow, rows: int) -> HopInputs:
        """Of a hop of this many rows: for captures, and for the check that they are right."""
        config, weight = self.config, self._weight
        # The frames whose f0 is computed in this hop come after those that are known.
        known = window.f0_start + window.f0_skip
        heard = window.source_stop - window.source_start
        harmonics = config.harmonics + 1
        return HopInputs(
            mel=torch.randn(
                (rows, config.mel_bins, self._mel_frames(window)), dtype=weight.dtype, device=weight.device
            ),
            f0=200 * torch.rand((rows, known), dtype=torch.float64, device=weight.device),
            cycles=torch.rand((rows, known, harmonics), dtype=torch.float64, device=weight.device),
            noise=torch.randn((rows, heard, config.samples_per_frame), dtype=weight.dtype, device=weight.device),
        )


def size_class(frames: int) -> int:
    """Rounds a hop's frames up to one of few sizes, so that hops of different lengths have the same shape. The extra
    frames cost less than compiling for each shape and running each in a batch of its own."""
    step = 4 if frames <= 40 else 10 if frames <= 100 else 50
    return -(-frames // step) * step
