"""Calibration on a device whose calls return before their work is done. Models compute nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from cosyvoice.errors import CheckpointError
from cosyvoice.flow.hop import HopJob
from cosyvoice.flow.memory import FlowMemory
from cosyvoice.flow.voice import FlowVoice
from cosyvoice.vocoder.stream import VocoderStream
from cosyvoice.vocoder.vocoder import Vocoder
from rtserver.engine.acoustic.calibration import calibrated, measure
from rtserver.engine.acoustic.kept_costs import MeasuredCosts
from rtserver.engine.acoustic.stopwatch import DeviceStopwatch
from rtserver.schedule.first_hop import TalkerPace
from rtserver.schedule.scheduler import Places
from tests.rtserver.engine.acoustic.fake_device import FakeDevice
from tests.rtserver.engine.acoustic.fakes import CONFIG, FakeModels, FakeStepper, FakeVocoder, flow_voice

FRAMES = CONFIG.flow.chunk_frames
_HELD_FRAMES = 5


class DeviceStepper(FakeStepper):
    """A step takes the device 5 ms, and 1 ms for each hop."""

    def __init__(self, device: FakeDevice, kv_bytes: int, mel: float) -> None:
        super().__init__(FlowMemory(CONFIG.flow, kv_bytes=kv_bytes))
        self.steps_of: list[int] = []
        self._device, self._mel = device, mel

    def voice(self, *prompt: Any) -> FlowVoice:
        return flow_voice(0)

    def tick(self, jobs: Sequence[HopJob]) -> None:
        self.steps_of.append(len(jobs))
        self._device.work(0.005 + 0.001 * len(jobs))
        for job in jobs:
            job.state.fill_(self._mel)
        super().tick(jobs)


class DeviceVocoder(FakeVocoder):
    """A call takes the device 2 ms for each hop. Five frames of sound are kept back."""

    def __init__(self, device: FakeDevice) -> None:
        super().__init__()
        self._device = device

    def decode(self, jobs: Sequence[tuple[VocoderStream, Tensor, bool]]) -> list[Tensor]:
        self._device.work(0.002 * len(jobs))
        return super().decode([(stream, mel[:, _HELD_FRAMES:], final) for stream, mel, final in jobs])


class DeviceModels(FakeModels):
    """On a FakeDevice."""

    def __init__(self, *, kv_bytes: int = 1 << 30, mel: float = 0.0) -> None:
        super().__init__()
        self.device = FakeDevice()
        self.stepper = DeviceStepper(self.device, kv_bytes, mel)
        self.flow = self.stepper
        self.vocoder = cast(Vocoder, DeviceVocoder(self.device))
        self.stopwatch = DeviceStopwatch(self.device.event, self.device.clock)

    def measured(self, hops: int = 64, limit_s: float = 30.0) -> tuple[MeasuredCosts, list[str]]:
        """The costs, and what was told meanwhile."""
        told: list[str] = []
        clock = self.device.clock
        return measure(self, Places(2, hops), self.stopwatch, told.append, clock=clock, limit_s=limit_s), told


def test_costs_are_the_times_of_the_device() -> None:
    """Not those of the calls: 6 ms for one hop and 7 ms for two, where a call takes 1 ms."""
    measured, told = DeviceModels().measured(hops=2)
    one, two = measured.sizes
    assert (one.frames, two.frames) == (FRAMES, 2 * FRAMES)
    assert (one.step_s, one.vocoder_s) == pytest.approx((0.006, 0.002))
    assert (two.step_s, two.vocoder_s) == pytest.approx((0.007, 0.004))
    assert measured.withheld_s == pytest.approx(_HELD_FRAMES / 50)
    assert told == ["measuring this machine: 1 side by side", "measuring this machine: 2 side by side"]


def test_batches_are_measured_up_to_the_places() -> None:
    """Here each batch of twice as many takes less than twice the time, up to the places that there are."""
    models = DeviceModels()
    measured, _ = models.measured()
    assert [size.frames // FRAMES for size in measured.sizes] == [1, 2, 4, 8, 16, 32, 64]
    assert models.flow.memory.budget.in_use_bytes == 0


def test_a_batch_that_has_no_memory_is_not_measured() -> None:
    """On a small card the larger ones are predicted; nothing fails."""
    least_bytes = DeviceModels().flow.memory.stream_bytes(FRAMES)
    models = DeviceModels(kv_bytes=5 * least_bytes)
    measured, _ = models.measured()
    assert [size.frames // FRAMES for size in measured.sizes] == [1, 2, 4]
    assert max(models.stepper.steps_of) == 4


def test_the_time_is_bounded() -> None:
    """After the limit no larger batch is measured, and that is told."""
    measured, told = DeviceModels().measured(limit_s=0.15)
    assert [size.frames // FRAMES for size in measured.sizes] == [1, 2]
    assert told[-1].endswith("larger batches are predicted")


def test_a_flow_without_numbers_does_not_start() -> None:
    """NaN in the first mel, as float16 may give, is found before anybody listens."""
    with pytest.raises(CheckpointError, match=r"found NaN or infinity in torch\.float32"):
        DeviceModels(mel=float("nan")).measured()


PACE = TalkerPace(token_s=0.003, quantum_s=0.0)


def test_a_kept_result_is_not_measured_again(tmp_path: Path) -> None:
    """The next start takes the same costs and the same first hop, and the device has nothing to do."""
    file = tmp_path / "costs.json"
    first, second = DeviceModels(), DeviceModels()
    costs = calibrated(first, Places(2, 4), 0, lambda text: None, first.stopwatch, file, pace=PACE)
    again = calibrated(second, Places(2, 4), 0, lambda text: None, second.stopwatch, file, pace=PACE)
    assert second.stepper.steps_of == [] and first.stepper.steps_of != []
    assert again.predict("step", FRAMES) == costs.predict("step", FRAMES) == pytest.approx(0.006)
    assert second.voices.first_hop_tokens == first.voices.first_hop_tokens


def test_on_a_cpu_each_start_measures() -> None:
    """Without a file nothing is kept, and the host's clock counts."""
    models = DeviceModels()
    costs = calibrated(models, Places(2, 2), None, lambda text: None, pace=PACE)
    assert torch.isfinite(torch.tensor(costs.predict("step", FRAMES))) and models.stepper.steps_of != []
