"""The measurement of both data types, with the clock in the test's hands."""

from __future__ import annotations

import pytest

from cosyvoice.config import DitConfig, FlowConfig
from rtserver.engine.cpu.step_times import measure

pytestmark = pytest.mark.model

SMALL = FlowConfig(vocab=60, lookahead_channels=12, dit=DitConfig(dim=32, depth=2, heads=2, head_dim=16), euler_steps=3)


class Clock:
    """Goes on by as much with every look."""

    def __init__(self, look_s: float) -> None:
        self.look_s = look_s
        self.now_s = 0.0
        self.looks = 0

    def __call__(self) -> float:
        self.now_s += self.look_s
        self.looks += 1
        return self.now_s


def test_one_hop_and_several_are_measured() -> None:
    """A step begins and ends with a look at the clock. The time in all has a limit."""
    clock = Clock(0.001)
    one, four = measure(SMALL, 4, clock)
    assert (one.hops, four.hops) == (1, 4)
    assert all(seconds == pytest.approx(0.001) for time in (one, four) for seconds in (time.float32_s, time.bfloat16_s))
    assert clock.now_s == pytest.approx(0.3, rel=0.1)


def test_a_slow_model_is_measured_with_one_hop() -> None:
    """Two rounds, of which the first makes kernels, of two steps in two types: a look before, eight in each, one
    before a third round, and one before several hops."""
    clock = Clock(0.1)
    (one,) = measure(SMALL, 4, clock)
    assert one.hops == 1 and clock.looks == 1 + 2 * 8 + 1 + 1
