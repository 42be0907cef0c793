"""The loop of every training. It can be killed at any time: a resumed run ends as an uninterrupted one would have.

For that, all that a step draws is seeded by the step's number, and the order of an epoch by the epoch's; the
checkpoint holds weights, their average over the last steps, optimisers, both numbers and how many utterances the epoch
began with. The average is what is evaluated and exported: it is good at any time, not only when the rate has fallen.
"""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from cosyvoice.nano.progress import Progress
from cosyvoice.nano.training.average import Average
from cosyvoice.nano.training.muon import Muon
from cosyvoice.nano.training.plots import draw_losses

Batch = TypeVar("Batch")
Losses = dict[str, float]

_SAVE_EVERY_S = 150.0  # of processor time
_NOTE_EVERY = 20  # steps


@dataclass(frozen=True)
class Schedule:
    """Learning rate over a training: a short rise, level, and a straight fall to nearly nothing at its end."""

    steps: int
    warm_up: int = 60
    fall: float = 0.5  # the part of all steps in which it falls
    lowest: float = 0.03

    def factor(self, step: int) -> float:
        """The factor on the learning rate of step 0, 1, ..."""
        if step < self.warm_up:
            return (step + 1) / self.warm_up
        level = self.steps * (1 - self.fall)
        if step < level:
            return 1.0
        return max(self.lowest, 1 - (step - level) / max(1.0, self.steps - level) * (1 - self.lowest))


class Training(ABC, Generic[Batch]):
    """What a training must say of itself. Its name is that of its files."""

    name: str
    seed: int = 1
    device = torch.device("cpu")

    def to(self, device: torch.device) -> None:
        """Moves everything that learns; before the first step."""
        self.device = device
        for module in self.modules.values():
            module.to(device)

    @property
    @abstractmethod
    def modules(self) -> dict[str, nn.Module]:
        """Everything that learns."""

    @property
    @abstractmethod
    def optimisers(self) -> dict[str, Muon]:
        """Everything that steps."""

    @property
    def notes(self) -> dict[str, Any]:
        """Hyper-parameters, to be kept beside the weights."""
        return {}

    @abstractmethod
    def utterances(self) -> int:
        """How many utterances there are now."""

    @abstractmethod
    def epoch(self, number: int, utterances: int) -> list[Batch]:
        """The batches of an epoch over the first `utterances`, a function of its arguments alone."""

    @abstractmethod
    def step(self, batch: Batch, done: float) -> Losses:
        """Learns from a batch. done: the part of the training that is over."""

    @abstractmethod
    def evaluate(self) -> Losses:
        """Losses on what is held out."""


@dataclass
class State:
    """Where a training is."""

    step: int = 0
    epoch: int = 0
    in_epoch: int = 0
    utterances: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)


def train(
    training: Training[Batch],
    folder: Path,
    schedule: Schedule,
    *,
    evaluate_every: int = 0,
    stop_after: int = 0,
    device: torch.device | None = None,
) -> State:
    """Trains to the schedule's end, from `folder`'s checkpoint if it has one.

    evaluate_every: this many steps, by default ten times in all, or every 200 steps of a short training. stop_after:
    leave after this many steps. device: where (default: the CPU).
    """
    folder.mkdir(parents=True, exist_ok=True)
    evaluate_every = evaluate_every or max(200, schedule.steps // 10)
    if device is not None:
        training.to(device)
    path = folder / f"{training.name}.pt"
    average = Average(training.modules)
    state = _load(training, average, path)
    progress = Progress(training.name, schedule.steps, "steps", state.step)
    saved_s, last = time.process_time(), state.step + stop_after if stop_after else schedule.steps
    batches = _batches(training, state)
    sums: Losses = {}
    if not state.history:
        _evaluate(training, average, state)
    _draw(training, folder, schedule, state)  # also for a training that is complete: its note may be of older code
    while state.step < min(last, schedule.steps):
        if state.in_epoch >= len(batches):
            state.epoch, state.in_epoch, state.utterances = state.epoch + 1, 0, 0
            batches = _batches(training, state)
        for optimiser in training.optimisers.values():
            optimiser.scale(schedule.factor(state.step))
        torch.manual_seed(training.seed * 1_000_003 + state.step)
        losses = training.step(batches[state.in_epoch], state.step / schedule.steps)
        average.update(state.step)
        state.step, state.in_epoch = state.step + 1, state.in_epoch + 1
        for name, loss in losses.items():
            sums[name] = sums.get(name, 0.0) + loss / _NOTE_EVERY
        if state.step % _NOTE_EVERY == 0:
            state.history.append({"step": state.step, "kind": "training", **sums})
            progress.add(_NOTE_EVERY, _said(sums))
            sums = {}
        if state.step % evaluate_every == 0 or state.step == schedule.steps:
            progress.say(_said(_evaluate(training, average, state)))
        if time.process_time() - saved_s > _SAVE_EVERY_S or state.step >= min(last, schedule.steps):
            _save(training, average, path, state)
            _draw(training, folder, schedule, state)
            saved_s = time.process_time()
    return state


def _batches(training: Training[Batch], state: State) -> list[Batch]:
    """The batches of the state's epoch; an epoch begins with the utterances that there are then."""
    state.utterances = state.utterances or training.utterances()
    return training.epoch(state.epoch, state.utterances)


def _evaluate(training: Training[Batch], average: Average, state: State) -> Losses:
    """The held-out losses of the averaged weights."""
    modes = {name: module.training for name, module in training.modules.items()}
    for module in training.modules.values():
        module.eval()
    with torch.no_grad(), average.in_place():
        losses = training.evaluate()
    for name, module in training.modules.items():
        module.train(modes[name])
    state.history.append({"step": state.step, "kind": "held out", **losses})
    return losses


def _save(training: Training[Batch], average: Average, path: Path, state: State) -> None:
    unfinished = path.with_suffix(".part")
    torch.save(
        {
            "modules": {name: module.state_dict() for name, module in training.modules.items()},
            "average": average.weights,
            "optimisers": {name: optimiser.state_dict() for name, optimiser in training.optimisers.items()},
            "state": asdict(state),
        },
        unfinished,
    )
    unfinished.replace(path)


def _load(training: Training[Batch], average: Average, path: Path) -> State:
    if not path.exists():
        return State()
    saved = torch.load(path, weights_only=True, map_location=training.device)
    for name, module in training.modules.items():
        module.load_state_dict(saved["modules"][name])
    average.weights = saved["average"]
    for name, optimiser in training.optimisers.items():
        optimiser.load_state_dict(saved["optimisers"][name])
    return State(**saved["state"])


def averaged(path: Path, module: str) -> dict[str, Tensor]:
    """The averaged weights of a module in a training's checkpoint."""
    weights: dict[str, Tensor] = torch.load(path, weights_only=True, map_location="cpu")["average"][module]
    return weights


def _draw(training: Training[Batch], folder: Path, schedule: Schedule, state: State) -> None:
    note = {**training.notes, "schedule": asdict(schedule), "steps": state.step, "epochs": state.epoch}
    held_out = [entry for entry in state.history if entry["kind"] == "held out"]
    note["held out"] = {"first": held_out[0], "last": held_out[-1]}
    (folder / "note.json").write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")
    lines = "".join(json.dumps(entry) + "\n" for entry in state.history)
    (folder / f"{training.name}.jsonl").write_text(lines, encoding="utf-8")
    draw_losses(state.history, training.name, folder / f"{training.name}.png")


def _said(losses: Losses) -> str:
    return ", ".join(f"{name} {loss:.4f}" for name, loss in losses.items())
