"""How long work takes on a device, for simulations. Costs are measured or estimated on paper; each names its source."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from rtserver.schedule.batch import gains
from rtserver.schedule.costs import Costs, WorkStage
from rtserver.schedule.scheduler import Places

COSTS = Path(__file__).parent / "costs"
TOKEN_S = 0.04
CHUNK_TOKENS = 25
LOOKAHEAD_TOKENS = 3
FRAMES_PER_TOKEN = 2

_FP8_GEMM = 1.7  # matrix products in fp8 are this many times as fast


@dataclass(frozen=True)
class CostTable:
    """The costs of one device. Times are in seconds."""

    name: str
    # Whether the costs were measured, or estimated on paper.
    kind: Literal["measured", "paper"]
    # The device, in words.
    device: str
    # Talker: a step of all its streams.
    talker_step_s: float
    # Talker: what each stream adds to a step.
    talker_stream_s: float
    # Talker: what a quantum costs when it begins.
    quantum_s: float
    # Talker: how long it does not use its device after a step.
    talker_host_s: float
    # Flow: Euler steps of a hop.
    euler_steps: int
    # Flow: one Euler step.
    step_s: float
    # Flow: what each frame adds to a step.
    frame_s: float
    # Flow: what each frame adds for each second of its context.
    frame_context_s: float
    # Flow: what each row (hop) adds for each second of its context.
    row_context_s: float
    # Vocoder: one call.
    vocoder_s: float
    # Vocoder: what each frame adds.
    vocoder_frame_s: float
    first_hop_tokens: int
    # Sound that the vocoder gives out only with the next hop.
    withheld_s: float
    # Speech tokens of a voice's prompt.
    prompt_tokens: int
    # Most speech tokens of a sequence.
    sequence_tokens: int
    # Speech tokens of the sequence before that the flow computes again in a sequence's first hop.
    context_tokens: int
    # Pieces of text (as an LLM writes them) that must come before the first speech token.
    pieces_before_audio: int
    pieces_per_s: float
    # Speech tokens that each later piece of text allows, counted in whole blocks of `block_tokens`.
    tokens_per_piece: float
    block_tokens: int
    # Keys and values for a second of audio.
    kv_bytes_per_s: float
    # Memory for all keys and values.
    kv_budget_bytes: float
    weight_bytes: float
    # Whether talker and flow share one device and take turns; otherwise each has its own.
    shared_device: bool

    @classmethod
    def load(cls, path: Path) -> CostTable:
        """Reads a table. Raises ValueError for costs that are missing, unknown or without a source."""
        table = json.loads(path.read_text(encoding="utf-8"))
        costs = table["costs"]
        expected = {f.name for f in fields(cls)} - {"name", "kind", "device"}
        if set(costs) != expected:
            raise ValueError(f"{path.name}: expected the costs {sorted(expected)}, found {sorted(costs)}")
        if sourceless := [name for name, cost in costs.items() if not cost.get("source")]:
            raise ValueError(f"{path.name}: expected a source for every cost, found none for {sourceless}")
        if table["kind"] not in ("measured", "paper"):
            raise ValueError(f"{path.name}: expected kind measured or paper, found {table['kind']!r}")
        values = {name: cost["value"] for name, cost in costs.items()}
        return cls(name=table["name"], kind=table["kind"], device=table["device"], **values)

    @property
    def told(self) -> str:
        """A label that says which table a figure comes from."""
        return f"simulated with the {self.kind} costs of: {self.name}"

    # -- work -------------------------------------------------------------------------------------------------------

    def sample_s(self, streams: int, begun: int = 0) -> float:
        """A talker step of `streams` streams, of which `begun` begin a quantum."""
        return self.talker_step_s + streams * self.talker_stream_s + begun * self.quantum_s

    def euler_s(self, rows: Iterable[tuple[int, float]]) -> float:
        """An Euler step. Each row: its frames, and the seconds of its context."""
        spent_s = self.step_s
        for frames, context_s in rows:
            spent_s += frames * (self.frame_s + self.frame_context_s * context_s) + self.row_context_s * context_s
        return spent_s

    def decode_s(self, frames: int) -> float:
        """A call of the vocoder."""
        return self.vocoder_s + frames * self.vocoder_frame_s

    # -- for the schedule -------------------------------------------------------------------------------------------

    @property
    def places(self) -> Places:
        return Places.of(self.device)

    def known_costs(self, places: Places) -> Costs:
        """The costs that an engine knows when it starts: it measures 1, 2, 4... hops as long as sharing a step saves
        time."""
        costs, hops = QuickCosts(), 1
        while hops <= places.hops:
            frames = hops * CHUNK_TOKENS * FRAMES_PER_TOKEN
            costs.note("step", frames, self.euler_s([(frames // hops, 0.0)] * hops))
            costs.note("vocoder", frames, self.decode_s(frames))
            if hops > 1 and not gains(costs, frames // hops, hops, costs.predict("step", frames)):
                break
            hops *= 2
        return costs

    # -- other machines ---------------------------------------------------------------------------------------------

    def in_fp8(self) -> CostTable:
        """The same device with fp8: half the weights, keys and values, and matrix products 1.7 times as fast. Two costs
        do not change: the talker's step, which kernel launches limit, and the fixed part of a step."""
        return replace(
            self,
            frame_s=self.frame_s / _FP8_GEMM,
            row_context_s=self.row_context_s / 2,
            kv_bytes_per_s=self.kv_bytes_per_s / 2,
            kv_budget_bytes=self.kv_budget_bytes + self.weight_bytes / 2,
            weight_bytes=self.weight_bytes / 2,
        )


@dataclass
class QuickCosts(Costs):
    """The same predictions, but faster: a prediction is kept until a new measurement of its stage comes."""

    _known: dict[WorkStage, dict[tuple[int, float], float]] = field(default_factory=dict)

    def note(self, stage: WorkStage, size: int, seconds: float) -> None:
        super().note(stage, size, seconds)
        self._known[stage] = {}

    def predict(self, stage: WorkStage, size: int, deviations: float = 0.0) -> float:
        known = self._known.setdefault(stage, {})
        seconds = known.get((size, deviations))
        if seconds is None:
            seconds = known[size, deviations] = super().predict(stage, size, deviations)
        return seconds


def find_table(name: str) -> Path:
    """The path of a table, given by its path or by its name in costs/. Raises FileNotFoundError."""
    path = Path(name) if name.endswith(".json") else COSTS / f"{name}.json"
    if not path.exists():
        known = sorted(p.stem for p in COSTS.glob("*.json"))
        raise FileNotFoundError(f"no cost table {name!r}: expected a path, or one of {known}")
    return path


def described(path: Path) -> dict[str, Any]:
    """The whole table, as in its file."""
    table: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return table
