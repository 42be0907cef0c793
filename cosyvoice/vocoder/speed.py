"""Speaking speed: mel frames are interpolated at absolute positions, so a stream gives the same as the whole mel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from cosyvoice.config import MAX_SPEED, MIN_SPEED
from cosyvoice.errors import StreamError


class MelSpeed:
    """Stretches a stream of mel. Output frame i is the linear interpolation at input position (i + 0.5) * speed - 0.5,
    as in torch's `interpolate(mode="linear")`. There are floor(frames / speed) output frames in all."""

    def __init__(self, speed: float) -> None:
        """Raises ValueError unless MIN_SPEED <= speed <= MAX_SPEED."""
        if not MIN_SPEED <= speed <= MAX_SPEED:
            raise ValueError(f"expected a speed of {MIN_SPEED} to {MAX_SPEED}, found {speed}")
        self.speed = speed
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
        else:  # an output frame needs the input frame after its position
            total = max(self._emitted, int((last + 0.5) / self.speed - 0.5) + 1)
            while total > self._emitted and int((total - 0.5) * self.speed - 0.5) + 1 > last:
                total -= 1
        index = torch.arange(self._emitted, total, dtype=torch.float64, device=mel.device)
        position = ((index + 0.5) * self.speed - 0.5).clamp(0, max(last, 0))
        left = position.long()
        right = (left + 1).clamp_max(max(last, 0))
        weight = (position - left).to(mel.dtype)
        out = known[:, left - self._held_from] * (1 - weight) + known[:, right - self._held_from] * weight
        self._emitted = total
        keep_from = min(max(int((total + 0.5) * self.speed - 0.5), 0), max(last, 0))
        self._held = known[:, keep_from - self._held_from :].clone()
        self._held_from = keep_from
        return out

    def resume_record(self) -> dict[str, Any]:
        """The state as plain data and a CPU tensor. `restore` continues from it with the next frame."""
        held = None if self._held is None else self._held.to("cpu", copy=True)
        return {
            "speed": self.speed,
            "received": self._received,
            "emitted": self._emitted,
            "held_from": self._held_from,
            "held": held,
        }

    @classmethod
    def restore(cls, record: Mapping[str, Any], device: torch.device | str = "cpu") -> MelSpeed:
        """The stream of a record. Raises StreamError when the record does not describe one."""
        try:
            stream = cls(record["speed"])
            stream._received, stream._emitted = int(record["received"]), int(record["emitted"])
            stream._held_from = int(record["held_from"])
            held = record["held"]
            stream._held = None if held is None else held.to(device, copy=True)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StreamError(f"resume record: expected one of a mel stream, found {type(error).__name__}") from error
        if stream._held is not None and stream._held_from + stream._held.shape[1] != stream._received:
            raise StreamError("resume record: expected the last input frames, found others")
        return stream
