"""The training loop: a resumed run ends as an uninterrupted one, losses are kept, epochs take up what has come."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cosyvoice.nano.training.batching import batches
from cosyvoice.nano.training.loop import Losses, Schedule, Training, train
from cosyvoice.nano.training.muon import Muon
from cosyvoice.nano.training.padding import inside, padded

pytestmark = pytest.mark.model


class Line(Training[list[float]]):
    """Learns y = 3 x from noisy points; there are more of them from the second epoch on."""

    name = "line"

    def __init__(self, points: int = 10) -> None:
        torch.manual_seed(0)
        self.points = points
        self.network = nn.Linear(1, 1)
        self.optimiser = Muon(self.network.named_parameters(), 0.05)
        self.epochs: list[tuple[int, int]] = []

    @property
    def modules(self) -> dict[str, nn.Module]:
        return {"line": self.network}

    @property
    def optimisers(self) -> dict[str, Muon]:
        return {"line": self.optimiser}

    def utterances(self) -> int:
        return self.points

    def epoch(self, number: int, utterances: int) -> list[list[float]]:
        self.epochs.append((number, utterances))
        generator = random.Random(f"{number}")
        return [[generator.random() for _ in range(4)] for _ in range(utterances)]

    def step(self, batch: list[float], done: float) -> Losses:
        self.optimiser.zero_grad()
        loss = self._loss(torch.tensor(batch)[:, None] + 0.01 * torch.randn(4, 1))
        loss.backward()
        self.optimiser.step()
        return {"square": loss.item()}

    def evaluate(self) -> Losses:
        return {"square": self._loss(torch.tensor([[0.3], [0.7]])).item()}

    def _loss(self, x: Tensor) -> Tensor:
        loss: Tensor = (self.network(x) - 3 * x).square().mean()
        return loss


def weights(training: Line) -> list[float]:
    return [p.item() for p in training.network.parameters()]


@pytest.mark.parametrize("first", [7, 10, 33])
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path: Path, first: int) -> None:
    """Stopped within an epoch, at its end, and later, the weights end the same to the last bit."""
    whole, half, rest = Line(), Line(), Line()
    train(whole, tmp_path / "whole", Schedule(60))
    train(half, tmp_path / "parts", Schedule(60), stop_after=first)
    state = train(rest, tmp_path / "parts", Schedule(60))
    assert state.step == 60
    assert weights(rest) == weights(whole) != weights(half)


def test_a_complete_training_does_nothing_more(tmp_path: Path) -> None:
    """Run again, it keeps its weights."""
    train(Line(), tmp_path, Schedule(30))
    again = Line()
    train(again, tmp_path, Schedule(30))
    assert weights(again) != weights(Line())
    assert [number for number, _ in again.epochs] == [2]


def test_the_loss_falls_and_is_kept(tmp_path: Path) -> None:
    """Held-out losses are noted at the start, on the way and at the end, and drawn."""
    train(Line(), tmp_path, Schedule(400), evaluate_every=100)
    entries = [json.loads(line) for line in (tmp_path / "line.jsonl").read_text().splitlines()]
    held_out = [(entry["step"], entry["square"]) for entry in entries if entry["kind"] == "held out"]
    assert [step for step, _ in held_out] == [0, 100, 200, 300, 400]
    assert held_out[-1][1] < 0.05 * held_out[0][1]
    assert (tmp_path / "line.png").stat().st_size > 1000


def test_an_epoch_keeps_its_utterances_when_more_come(tmp_path: Path) -> None:
    """Resumed within an epoch, it is made of the utterances it began with; the next one takes up all."""
    train(Line(10), tmp_path, Schedule(60), stop_after=5)
    later = Line(20)
    train(later, tmp_path, Schedule(60), stop_after=10)
    assert later.epochs == [(0, 10), (1, 20)]


def test_the_rate_rises_stays_and_falls() -> None:
    """A short rise, a level, a straight fall to the lowest factor."""
    schedule = Schedule(100, warm_up=10, fall=0.5, lowest=0.1)
    assert schedule.factor(0) == pytest.approx(0.1)
    assert schedule.factor(10) == schedule.factor(50) == 1.0
    assert schedule.factor(75) == pytest.approx(0.55)
    assert schedule.factor(100) == pytest.approx(0.1)


def test_batches_hold_everything_once_within_the_budget() -> None:
    """Every index is in one batch; padded sizes keep to the budget, except for what is longer by itself."""
    generator = random.Random(0)
    lengths = [generator.randint(5, 90) for _ in range(300)] + [500]
    made = batches(lengths, 400, random.Random(1))
    assert sorted(i for batch in made for i in batch) == list(range(301))
    for batch in made:
        assert len(batch) == 1 or max(lengths[i] for i in batch) * len(batch) <= 400
    padding = sum(max(lengths[i] for i in batch) * len(batch) for batch in made) / sum(lengths)
    assert padding < 1.2
    assert batches(lengths, 400, random.Random(1)) == made != batches(lengths, 400, random.Random(2))


def test_rows_of_different_length_are_padded_on_the_device() -> None:
    """Halves become float32, whole numbers int64; what is behind a row's end is the fill."""
    halves = padded([np.ones((2, 3), np.float16), np.ones((4, 3), np.float16)], torch.device("cpu"))
    assert halves.dtype == torch.float32 and halves.shape == (2, 4, 3)
    assert halves[0, 2:].sum() == 0 and halves.sum() == 18
    numbers = padded([np.array([1, 2], np.int16), np.array([3], np.int16)], torch.device("cpu"), -1)
    assert numbers.dtype == torch.int64 and numbers.tolist() == [[1, 2], [3, -1]]
    assert inside(torch.tensor([2, 1]), 2).tolist() == [[True, True], [True, False]]
