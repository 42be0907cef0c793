"""Speaking speed: mel frames are interpolated at absolute positions, so a stream gives the same as the whole mel."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from cosyvoice.config import MAX_SPEED, MIN_SPEED
from cosyvoice.errors import StreamError
from cosyvoice.transfer import ToHost, copy_to_host

# The standard deviation of the squared window of a mel frame (Hann, 80 ms), in frames of 20 ms.
_FRAME_DEVIATION = 0.566


class MelSpeed:
    """Stretches a stream of mel. Output frame i lies at input position (i + 0.5) * speed - 0.5. It is the mean of the
    input frames around it, whose weights fall in a line to zero at `_reach` frames from there. There are
    floor(frames / speed) output frames in all."""

    def __init__(self, speed: float, *, keeps_energy: bool = False, gain_db_per_octave: float = 0.0) -> None:
        """keeps_energy: the mean is that of the energy, over as much as a frame of speech of this speed would show: the
        window of a mel frame is `speed` times as long in the input. Otherwise it is the mean of the logarithms of two
        frames, as in torch's `interpolate(mode="linear")` and in the original. Fast speech then gets softer, and a
        vocoder is given mel that changes faster than any that it was trained with.

        gain_db_per_octave: how much louder the mel becomes at speed 2, and softer at speed 0.5.

        Raises ValueError unless MIN_SPEED <= speed <= MAX_SPEED.
        """
        if not MIN_SPEED <= speed <= MAX_SPEED:
            raise ValueError(f"expected a speed of {MIN_SPEED} to {MAX_SPEED}, found {speed}")
        self.speed = speed
        self._keeps_energy = keeps_energy
        self._gain = gain_db_per_octave * math.log2(speed) * math.log(10) / 20
        # A triangle of this half width widens the window by as much as is missing.
        wide = math.sqrt(6 * max(0.0, speed**2 - 1)) * _FRAME_DEVIATION
        self._reach = max(1.0, wide) if keeps_energy else 1.0
        self._around = math.ceil(self._reach)  # input frames on each side
        self._received = 0  # input frames so far
        self._emitted = 0  # output frames so far
        self._held: Tensor | None = None  # the last input frames, from position _held_from on
        self._held_from = 0

    def feed(self, mel: Tensor, final: bool) -> Tensor:
        """Takes new frames [bins, n] and returns the output frames [bins, m] that they complete."""
        if self.speed == 1.0:
            return mel
        known = mel if self._held is None else torch.cat([self._held, mel], 1)
        self._received += mel.shape[1]
        last = self._received - 1
        if final:
            total = int(self._received / self.speed)
        else:  # an output frame needs the input frames after its position
            total = max(self._emitted, int((last + 0.5) / self.speed - 0.5) + 1)
            while total > self._emitted and int(self._position(total - 1)) + self._around > last:
                total -= 1
        index = torch.arange(self._emitted, total, dtype=torch.float64, device=mel.device)
        out = self._mean(known, ((index + 0.5) * self.speed - 0.5).clamp(0, max(last, 0)), last)
        self._emitted = total
        keep_from = min(max(int(self._position(total)) - self._around + 1, 0), max(last, 0))
        self._held = known[:, keep_from - self._held_from :].clone()
        self._held_from = keep_from
        return out

    def _position(self, frame: int) -> float:
        """Of an output frame, in the input."""
        return (frame + 0.5) * self.speed - 0.5

    def _mean(self, known: Tensor, position: Tensor, last: int) -> Tensor:
        """The frames at these positions of the input, of which `last` is the last frame."""
        offsets = torch.arange(1 - self._around, self._around + 1, device=position.device)
        frames = position.long()[:, None] + offsets
        weights = (1 - (frames - position[:, None]).abs() / self._reach).clamp_min(0)
        weights = weights * ((frames >= 0) & (frames <= last))
        weights = (weights / weights.sum(1, keepdim=True)).to(known.dtype)
        around = known[:, frames.clamp(0, max(last, 0)) - self._held_from]  # [bins, m, offsets]
        if not self._keeps_energy:
            return (around * weights).sum(2) + self._gain
        return torch.log((torch.exp(2 * around) * weights).sum(2)) / 2 + self._gain

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Those of the resume record."""
        return () if self._held is None else (self._held,)

    def resume_record(self, to_host: ToHost = copy_to_host) -> dict[str, Any]:
        """The state as plain data and a CPU tensor. `restore` continues from it with the next frame."""
        held = None if self._held is None else to_host(self._held)
        return {
            "speed": self.speed,
            "received": self._received,
            "emitted": self._emitted,
            "held_from": self._held_from,
            "held": held,
        }

    @classmethod
    def restore(
        cls,
        record: Mapping[str, Any],
        device: torch.device | str = "cpu",
        *,
        keeps_energy: bool = False,
        gain_db_per_octave: float = 0.0,
    ) -> MelSpeed:
        """The stream of a record; the rest as in `__init__`. Raises StreamError when the record does not describe
        one."""
        try:
            stream = cls(record["speed"], keeps_energy=keeps_energy, gain_db_per_octave=gain_db_per_octave)
            stream._received, stream._emitted = int(record["received"]), int(record["emitted"])
            stream._held_from = int(record["held_from"])
            held = record["held"]
            stream._held = None if held is None else held.to(device, copy=True)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StreamError(f"resume record: expected one of a mel stream, found {type(error).__name__}") from error
        if stream._held is not None and stream._held_from + stream._held.shape[1] != stream._received:
            raise StreamError("resume record: expected the last input frames, found others")
        return stream
