"""The state of one stream in the vocoder: only what later samples need of earlier frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from cosyvoice.config import VocoderConfig
from cosyvoice.errors import StreamError
from cosyvoice.transfer import ToHost, copy_to_host
from cosyvoice.vocoder.hop_window import context_frames, known_f0_frames
from cosyvoice.vocoder.source import Phase

_COUNTS = ("first_frame", "emitted_frames")
_TENSORS = ("mel", "f0", "cycles")


@dataclass
class VocoderStream:
    """Frames are counted from the stream's start, its lead included. The tensors begin at `first_frame`.

    The lead is mel before the first frame that the stream is fed. It is left context only: it counts as emitted, and
    has no samples.
    """

    config: VocoderConfig
    phase: Phase
    # [mel_bins, frames that are kept].
    mel: Tensor
    # In Hz, [frames whose f0 is known], float64.
    f0: Tensor
    # The phase of each of these frames (see `HarmonicSource.advance`), [frames, harmonics + 1], float64.
    cycles: Tensor
    # Frames of the lead.
    lead_frames: int = 0
    first_frame: int = 0
    emitted_frames: int = 0
    finished: bool = False

    @classmethod
    def start(cls, config: VocoderConfig, phase: Phase, lead: Tensor) -> VocoderStream:
        """A stream at its start. lead: mel [mel_bins, frames], of the weights' type and on their device."""
        return cls(
            config=config,
            phase=phase,
            mel=lead.clone(),
            f0=lead.new_zeros(0, dtype=torch.float64),
            cycles=lead.new_zeros(0, config.harmonics + 1, dtype=torch.float64),
            lead_frames=lead.shape[1],
            emitted_frames=lead.shape[1],
        )

    @property
    def past_frames(self) -> int:
        """Frames that are kept although they are out already."""
        return self.emitted_frames - self.first_frame

    @property
    def at_start(self) -> bool:
        """Whether no sample is out yet."""
        return self.emitted_frames == self.lead_frames

    @property
    def received_frames(self) -> int:
        """Frames that the stream was fed."""
        return self.first_frame + self.mel.shape[1] - self.lead_frames

    @property
    def emitted_samples(self) -> int:
        return (self.emitted_frames - self.lead_frames) * self.config.samples_per_frame

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Those of the resume record."""
        return self.mel, self.f0, self.cycles

    def resume_record(self, to_host: ToHost = copy_to_host) -> dict[str, Any]:
        """The state as plain data (ints, a bool, a str, CPU tensors; about 15 KB). `Vocoder.restore` continues from it
        with the next sample, in this process or another."""
        record: dict[str, Any] = {"phase": self.phase, "finished": self.finished}
        record |= {name: getattr(self, name) for name in _COUNTS}
        return record | {name: to_host(getattr(self, name)) for name in _TENSORS}

    @classmethod
    def restore(cls, record: Mapping[str, Any], config: VocoderConfig, phase: Phase, lead: Tensor) -> VocoderStream:
        """The stream of a record; `lead` as in `start`. Raises StreamError for a record that does not fit."""
        expected = {"phase", "finished", *_COUNTS, *_TENSORS}
        if set(record) != expected:
            raise StreamError(f"resume record: expected the keys {sorted(expected)}, found {sorted(record)}")
        if record["phase"] != phase:
            raise StreamError(f"resume record: expected phase {phase}, found {record['phase']}")
        for name in _COUNTS:
            if not isinstance(record[name], int) or record[name] < 0:
                raise StreamError(f"resume record: {name}: expected an int of at least 0, found {record[name]!r}")
        first, emitted = record["first_frame"], record["emitted_frames"]
        if emitted < lead.shape[1]:
            raise StreamError(
                f"resume record: emitted_frames: expected at least the lead's {lead.shape[1]}, found {emitted}"
            )
        if first != max(0, emitted - context_frames(config)):
            raise StreamError(
                f"resume record: first_frame: expected {context_frames(config)} frames before {emitted}, found {first}"
            )
        mel = record["mel"]
        if not isinstance(mel, Tensor) or mel.dim() != 2 or mel.shape[0] != config.mel_bins:
            raise StreamError(f"resume record: mel: expected [{config.mel_bins}, frames], found {_shape(mel)}")
        at_start = emitted == lead.shape[1]
        known = 0 if record["finished"] or at_start else known_f0_frames(config, emitted) - first
        for name, shape in (("f0", (known,)), ("cycles", (known, config.harmonics + 1))):
            if _shape(record[name]) != list(shape):
                raise StreamError(f"resume record: {name}: expected {list(shape)}, found {_shape(record[name])}")
        return cls(
            config=config,
            phase=phase,
            mel=mel.to(lead, copy=True),
            f0=record["f0"].to(lead.device, torch.float64, copy=True),
            cycles=record["cycles"].to(lead.device, torch.float64, copy=True),
            lead_frames=lead.shape[1],
            first_frame=first,
            emitted_frames=emitted,
            finished=bool(record["finished"]),
        )

    def advance(self, frames: int, mel: Tensor, f0: Tensor, cycles: Tensor) -> None:
        """Notes that `frames` more are out, and keeps the part of these tensors that later frames need. The tensors
        begin at `first_frame`."""
        self.emitted_frames += frames
        drop = max(0, self.emitted_frames - context_frames(self.config)) - self.first_frame
        self.first_frame += drop
        # Copies, because slices would keep the whole batch in memory.
        self.mel, self.f0, self.cycles = mel[:, drop:].clone(), f0[drop:].clone(), cycles[drop:].clone()

    def finish(self) -> None:
        """Ends the stream and drops its tensors."""
        self.finished = True
        self.mel, self.f0, self.cycles = self.mel[:, :0].clone(), self.f0[:0].clone(), self.cycles[:0].clone()


def _shape(value: object) -> object:
    return list(value.shape) if isinstance(value, Tensor) else type(value).__name__
