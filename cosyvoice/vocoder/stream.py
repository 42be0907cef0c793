"""The state of one stream in the vocoder: only what later samples need of earlier frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from cosyvoice.config import VocoderConfig
from cosyvoice.errors import StreamError
from cosyvoice.vocoder.hop_window import context_frames, known_f0_frames
from cosyvoice.vocoder.source import Phase

_COUNTS = ("first_frame", "emitted_frames")
_TENSORS = ("mel", "f0", "cycles")


@dataclass
class VocoderStream:
    """Frames are counted from the stream's start. The tensors begin at `first_frame`."""

    config: VocoderConfig
    phase: Phase
    # [mel_bins, frames that are kept].
    mel: Tensor
    # In Hz, [frames whose f0 is known], float64.
    f0: Tensor
    # The phase of each of these frames (see `HarmonicSource.advance`), [frames, harmonics + 1], float64.
    cycles: Tensor
    first_frame: int = 0
    emitted_frames: int = 0
    finished: bool = False

    @classmethod
    def start(cls, config: VocoderConfig, phase: Phase, like: Tensor) -> VocoderStream:
        """A stream at frame 0. Its mel has the type and device of `like`, one of the weights."""
        return cls(
            config=config,
            phase=phase,
            mel=like.new_zeros(config.mel_bins, 0),
            f0=like.new_zeros(0, dtype=torch.float64),
            cycles=like.new_zeros(0, config.harmonics + 1, dtype=torch.float64),
        )

    @property
    def past_frames(self) -> int:
        """Frames that are kept although they are out already."""
        return self.emitted_frames - self.first_frame

    @property
    def received_frames(self) -> int:
        return self.first_frame + self.mel.shape[1]

    @property
    def emitted_samples(self) -> int:
        return self.emitted_frames * self.config.samples_per_frame

    def resume_record(self) -> dict[str, Any]:
        """The state as plain data (ints, a bool, a str, CPU tensors; about 15 KB). `Vocoder.restore` continues from it
        with the next sample, in this process or another."""
        record: dict[str, Any] = {"phase": self.phase, "finished": self.finished}
        record |= {name: getattr(self, name) for name in _COUNTS}
        return record | {name: getattr(self, name).to("cpu", copy=True) for name in _TENSORS}

    @classmethod
    def restore(cls, record: Mapping[str, Any], config: VocoderConfig, phase: Phase, like: Tensor) -> VocoderStream:
        """The stream of a record. Raises StreamError when the record does not fit this vocoder."""
        expected = {"phase", "finished", *_COUNTS, *_TENSORS}
        if set(record) != expected:
            raise StreamError(f"resume record: expected the keys {sorted(expected)}, found {sorted(record)}")
        if record["phase"] != phase:
            raise StreamError(f"resume record: expected phase {phase}, found {record['phase']}")
        for name in _COUNTS:
            if not isinstance(record[name], int) or record[name] < 0:
                raise StreamError(f"resume record: {name}: expected an int of at least 0, found {record[name]!r}")
        first, emitted = record["first_frame"], record["emitted_frames"]
        if first != max(0, emitted - context_frames(config)):
            raise StreamError(
                f"resume record: first_frame: expected {context_frames(config)} frames before {emitted}, found {first}"
            )
        mel = record["mel"]
        if not isinstance(mel, Tensor) or mel.dim() != 2 or mel.shape[0] != config.mel_bins:
            raise StreamError(f"resume record: mel: expected [{config.mel_bins}, frames], found {_shape(mel)}")
        known = 0 if record["finished"] else known_f0_frames(config, emitted) - first
        for name, shape in (("f0", (known,)), ("cycles", (known, config.harmonics + 1))):
            if _shape(record[name]) != list(shape):
                raise StreamError(f"resume record: {name}: expected {list(shape)}, found {_shape(record[name])}")
        return cls(
            config=config,
            phase=phase,
            mel=mel.to(like, copy=True),
            f0=record["f0"].to(like.device, torch.float64, copy=True),
            cycles=record["cycles"].to(like.device, torch.float64, copy=True),
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
