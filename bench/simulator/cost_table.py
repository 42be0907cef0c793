"""What work takes on a device, for simulations: measured, or worked out on paper. Every line says where it is from."""

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

_FP8_GEMM = 1.7  # times as fast


@dataclass(frozen=True)
class CostTable:
    """All times in seconds. Talker: a step of all its streams, what each of them adds, what a quantum costs when it
    begins, and how long after a step's work the talker does without its device. Flow: an Euler step, what each frame
    adds, and each frame or row for a second of context. Vocoder: a call, and each frame.

    withheld_s: sound that the vocoder gives out one hop later. pieces: of text, as an LLM writes them; so many must
    come before the first speech token, then each allows `tokens_per_piece`, in whole blocks. shared_device: talker and
    flow take turns on one device, otherwise each has its own.
    """

    name: str
    kind: Literal["measured", "paper"]
    device: str
    talker_step_s: float
    talker_stream_s: float
    quantum_s: float
    talker_host_s: float
    euler_steps: int
    step_s: float
    frame_s: float
    frame_context_s: float
    row_context_s: float
    vocoder_s: float
    vocoder_frame_s: float
    first_hop_tokens: int
    withheld_s: float
    prompt_tokens: int
    pieces_before_audio: int
    pieces_per_s: float
    tokens_per_piece: float
    block_tokens: int
    kv_bytes_per_s: float
    kv_budget_bytes: float
    weight_bytes: float
    shared_device: bool

    @classmethod
    def load(cls, path: Path) -> CostTable:
        """Reads a table. ValueError for lines that are missing, too many, or without a source."""
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
        """Which table a figure rests on."""
        return f"simulated with the {self.kind} costs of: {self.name}"

    # -- work -------------------------------------------------------------------------------------------------------

    def sample_s(self, streams: int, begun: int = 0) -> float:
        """A talker step of so many streams, of which so many begin a quantum."""
        return self.talker_step_s + streams * self.talker_stream_s + begun * self.quantum_s

    def euler_s(self, rows: Iterable[tuple[int, float]]) -> float:
        """An Euler step; rows: frames, and seconds of context."""
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
        """As an engine knows them when it starts: it measures 1, 2, 4... hops as long as sharing a step gains."""
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
        """Half the weights, keys and values; matrices 1.7 times as fast. The talker's step, which launches bind, and
        the fixed part of a step stay."""
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
    """The same predictions; what was asked since the last note of its stage is not worked out again."""

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
    """A table by its path, or by its name in costs/. FileNotFoundError."""
    path = Path(name) if name.endswith(".json") else COSTS / f"{name}.json"
    if not path.exists():
        known = sorted(p.stem for p in COSTS.glob("*.json"))
        raise FileNotFoundError(f"no cost table {name!r}: expected a path, or one of {known}")
    return path


def described(path: Path) -> dict[str, Any]:
    """The whole table as it stands in its file."""
    table: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return table
