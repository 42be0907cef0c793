"""How the processes share a GPU's memory: what each takes, and how many streams are left room for. Pure.

Weights, keys and values follow from the model's sizes. What CUDA, PyTorch and vLLM take beside them is estimated here
(`_CONTEXT_MIB` and the constants below it); no figure of this file was measured on a GPU.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from cosyvoice.config import Dtype
from rtserver.engine.card.cards import MIB, Card
from rtserver.engine.card.model_sizes import DTYPE_BYTES, ModelSizes

# A process's CUDA context, with the kernels that it has loaded.
_CONTEXT_MIB = 500
# vLLM's activations, for the most ids that one step computes.
_TALKER_ACTIVATIONS_MIB = 256
# CUDA graphs of vLLM, and of the sampler (some 100 MiB).
_GRAPHS_MIB = 768
# CUDA graphs of flow and vocoder: a fixed part, and the activations of the vocoder's largest, which has 8 hops.
_ACOUSTIC_GRAPHS_MIB = 128 + 8 * 20
# Activations of flow and vocoder: a fixed part, and for each hop that shares a step.
_WORKSPACE_MIB, _WORKSPACE_HOP_MIB = 256, 20
# Hops that share a step, at most.
_MOST_HOPS = 64
# Streams of an automatic plan, at most.
_MOST_STREAMS = 128
# The talker's keys and values: ids of one stream, and the least in all.
_STREAM_IDS, _LEAST_TALKER_KV_MIB = 1024, 256
# What a stream keeps in the flow: what a reply takes, and the least window.
REPLY_S, _LEAST_WINDOW_S = 6.0, 4.0
# Voices whose prompts stay in memory, and their length.
_VOICES, _PROMPT_S = 2, 3.0
# Memory that the operating system may need on a small card, whatever the share is.
_LEAST_SPARE_MIB = 256

PlanPart = Literal["talker", "acoustic", "spare"]
# Lines of the plan.
_ACTIVATIONS, _GRAPHS, _LAST_HOPS = "activations", "CUDA graphs", "pages of last hops"


class DoesNotFit(ValueError):
    """A GPU cannot be used with these settings. The message has the numbers and what to change."""


@dataclass(frozen=True)
class PlanSettings:
    """What the settings leave open (None or 0) is chosen by the card."""

    talker_dtype: Dtype | None = None
    flow_dtype: Dtype | None = None
    # Realtime streams; 0: as many as there is room for, up to 128.
    streams: int = 0
    # MiB of keys and values of the talker and of the flow.
    talker_kv_mib: int = 0
    flow_kv_mib: int = 0
    # Share of the card's memory that the server may use.
    memory_share: float = 0.95
    # Whether vLLM captures CUDA graphs.
    graphs: bool = True
    # Whether the flow keeps its memory in pages.
    flow_pages: bool = True


@dataclass(frozen=True)
class PlanItem:
    """One line of the plan."""

    part: PlanPart
    what: str
    mib: int
    # How the number came about.
    basis: Literal["computed", "estimated", "chosen"]


@dataclass(frozen=True)
class MemoryPlan:
    """What is taken of a card. All of it is planned: nothing is measured."""

    card: Card
    model: str
    talker_dtype: Dtype
    flow_dtype: Dtype
    graphs: bool
    # Whether the flow keeps its memory in pages.
    flow_pages: bool
    # Realtime streams that have room side by side.
    streams: int
    # Hops that share an Euler step, at most.
    hops: int
    # What one second of sound takes in the flow.
    flow_second_mib: float
    # Seconds of sound that all streams together may keep, without the voices.
    context_s: float
    items: tuple[PlanItem, ...]

    def mib(self, part: PlanPart, what: str | None = None) -> int:
        """Of one part, or of one of its lines."""
        return sum(item.mib for item in self.items if item.part == part and what in (None, item.what))

    @property
    def acoustic_work_mib(self) -> int:
        """What the acoustic process takes after its weights, beside keys and values."""
        return sum(self.mib("acoustic", what) for what in (_ACTIVATIONS, _GRAPHS, _LAST_HOPS))

    @property
    def talker_share(self) -> float:
        """The share of the card that must be free when the talker starts, its CUDA context not counted: vLLM's
        `gpu_memory_utilization`. Another talker can start beside an acoustic process that has taken all of its part."""
        return (self.mib("talker") - _CONTEXT_MIB) / self.card.memory_mib

    @property
    def acoustic_share(self) -> float:
        """The share of the card that the acoustic process may take, its CUDA context not counted."""
        return (self.mib("acoustic") - _CONTEXT_MIB) / self.card.memory_mib


def plan_memory(card: Card, sizes: ModelSizes, settings: PlanSettings) -> MemoryPlan:
    """Raises DoesNotFit when there is no room for one stream, or not for as many as the settings want, and for a card
    that is too old."""
    if card.is_old:
        major, minor = card.capability
        raise DoesNotFit(f"{card.name} has compute capability {major}.{minor}: expected 7.5 or more (a T4 or newer)")
    plan = _plan(card, sizes, settings)
    if plan is None:
        raise DoesNotFit(_refusal(card, sizes, settings))
    return plan


def _plan(card: Card, sizes: ModelSizes, settings: PlanSettings) -> MemoryPlan | None:
    """None when it does not fit."""
    room = _Room.of(card, sizes, settings)
    if settings.streams:
        # A wish is granted while each stream has room for the least window.
        return room.plan(settings.streams) if room.fits(settings.streams, _LEAST_WINDOW_S) else None
    streams = room.most_streams(_MOST_STREAMS, REPLY_S) or room.most_streams(1, _LEAST_WINDOW_S)
    return room.plan(streams) if streams else None


def _dtype(card: Card, wanted: Dtype | None, name: str) -> Dtype:
    if wanted is None:
        return "bfloat16" if card.has_bf16 else "float32"
    if wanted == "bfloat16" and not card.has_bf16:
        major, minor = card.capability
        raise DoesNotFit(
            f"{name}: {card.name} has no bfloat16 (compute capability {major}.{minor}; it needs 8.0): use float32"
        )
    return wanted


@dataclass(frozen=True)
class _Room:
    """The arithmetic of one choice of data types."""

    card: Card
    sizes: ModelSizes
    settings: PlanSettings
    talker_dtype: Dtype
    flow_dtype: Dtype

    @classmethod
    def of(cls, card: Card, sizes: ModelSizes, settings: PlanSettings) -> _Room:
        """Raises DoesNotFit for a data type that the card does not have."""
        talker_dtype = _dtype(card, settings.talker_dtype, "talker_dtype")
        return cls(card, sizes, settings, talker_dtype, _dtype(card, settings.flow_dtype, "flow_dtype"))

    def most_streams(self, at_most: int, context_s: float) -> int:
        """As many streams of this length as there is room for. 0: for none."""
        return next((streams for streams in range(at_most, 0, -1) if self.fits(streams, context_s)), 0)

    def fits(self, streams: int, context_s: float) -> bool:
        """Whether this many streams have room that keep this many seconds each."""
        need_mib = self.voices_mib + streams * self.stream_mib(context_s)
        return need_mib <= self.flow_kv_mib(streams)

    def plan(self, streams: int) -> MemoryPlan:
        flow_kv_mib = self.flow_kv_mib(streams)
        tails_mib = 0.0 if self.settings.flow_pages else streams * self.stream_mib(0.0)
        context_s = (flow_kv_mib - self.voices_mib - tails_mib) / self.second_mib
        items = (*self.fixed(streams), PlanItem("acoustic", "keys and values", flow_kv_mib, "chosen"))
        left_mib = (self.card.memory_mib if self.card.free_mib is None else self.card.free_mib) - _total(items)
        return MemoryPlan(
            self.card,
            self.sizes.name,
            self.talker_dtype,
            self.flow_dtype,
            self.settings.graphs,
            self.settings.flow_pages,
            streams,
            self.hops(streams),
            self.second_mib,
            context_s,
            (*items, PlanItem("spare", "left free", left_mib, "chosen")),
        )

    @property
    def usable_mib(self) -> int:
        """What the server may take: its share of the card, and no more than what is free now."""
        share_mib = int(self.settings.memory_share * self.card.memory_mib)
        free_mib = self.card.memory_mib if self.card.free_mib is None else self.card.free_mib
        return min(share_mib, free_mib - _LEAST_SPARE_MIB)

    def flow_kv_mib(self, streams: int) -> int:
        """Room for the flow's keys and values: as much as the settings say, or all that is left."""
        left_mib = self.usable_mib - _total(self.fixed(streams))
        return min(self.settings.flow_kv_mib or left_mib, left_mib)

    def fixed(self, streams: int) -> tuple[PlanItem, ...]:
        """Everything but the flow's keys and values."""
        talker_bytes, flow_bytes = DTYPE_BYTES[self.talker_dtype], DTYPE_BYTES[self.flow_dtype]
        sizes = self.sizes
        vocoder_bytes = 4 * sizes.vocoder_parameters + 4 * sizes.f0_parameters  # fp32, and f0 in fp64
        talker_kv_mib = self.settings.talker_kv_mib or max(
            _LEAST_TALKER_KV_MIB, _mib(streams * _STREAM_IDS * sizes.talker_id_numbers * talker_bytes)
        )
        items = [
            PlanItem("talker", "CUDA context", _CONTEXT_MIB, "estimated"),
            PlanItem("talker", "weights", _mib(talker_bytes * sizes.talker_parameters), "computed"),
            PlanItem("talker", _ACTIVATIONS, _TALKER_ACTIVATIONS_MIB, "estimated"),
            PlanItem("talker", _GRAPHS, _GRAPHS_MIB if self.settings.graphs else 0, "estimated"),
            PlanItem("talker", "keys and values", talker_kv_mib, "chosen"),
            PlanItem("acoustic", "CUDA context", _CONTEXT_MIB, "estimated"),
            PlanItem("acoustic", "flow weights", _mib(flow_bytes * sizes.flow_parameters), "computed"),
            PlanItem("acoustic", "vocoder weights", _mib(vocoder_bytes), "computed"),
            PlanItem("acoustic", _ACTIVATIONS, _WORKSPACE_MIB + self.hops(streams) * _WORKSPACE_HOP_MIB, "estimated"),
        ]
        if self.settings.flow_pages:
            scratch_bytes = _MOST_HOPS * sizes.flow_sheet_numbers * flow_bytes
            items.append(PlanItem("acoustic", _LAST_HOPS, _mib(scratch_bytes), "computed"))
            items.append(PlanItem("acoustic", _GRAPHS, _ACOUSTIC_GRAPHS_MIB, "estimated"))
        return tuple(items)

    def hops(self, streams: int) -> int:
        return min(streams, _MOST_HOPS)

    @property
    def second_mib(self) -> float:
        """The flow's keys and values of a second of sound. Each page has room for a set of tails too."""
        sizes = self.sizes
        chunk_numbers = sizes.chunk_frames * sizes.flow_frame_numbers
        if self.settings.flow_pages:
            chunk_numbers += sizes.flow_tail_numbers
        return DTYPE_BYTES[self.flow_dtype] * chunk_numbers * sizes.frame_rate_hz / sizes.chunk_frames / MIB

    def stream_mib(self, context_s: float) -> float:
        """What a stream takes in the flow that keeps this many seconds. It has two sets of tails: with pages, it takes
        two at least."""
        if self.settings.flow_pages:
            return self._pages_mib(max(context_s, 2 * self.sizes.chunk_frames / self.sizes.frame_rate_hz))
        return 2 * self._tails_mib + context_s * self.second_mib

    @property
    def voices_mib(self) -> float:
        if self.settings.flow_pages:
            return _VOICES * self._pages_mib(_PROMPT_S)
        return _VOICES * (self._tails_mib + _PROMPT_S * self.second_mib)

    @property
    def _tails_mib(self) -> float:
        """One set."""
        return DTYPE_BYTES[self.flow_dtype] * self.sizes.flow_tail_numbers / MIB

    def _pages_mib(self, context_s: float) -> float:
        """Whole pages for this many seconds."""
        page_s = self.sizes.chunk_frames / self.sizes.frame_rate_hz
        return math.ceil(context_s / page_s) * page_s * self.second_mib


def _refusal(card: Card, sizes: ModelSizes, settings: PlanSettings) -> str:
    """Why there is no room, and what helps."""
    room, streams = _Room.of(card, sizes, settings), settings.streams or 1
    fixed_mib = _total(room.fixed(streams))
    need_mib = math.ceil(room.voices_mib + streams * room.stream_mib(_LEAST_WINDOW_S))
    free = "" if card.free_mib is None else f", {card.free_mib} free"
    told = (
        f"{sizes.name} does not fit on {card.name} ({card.memory_mib} MiB{free}): with the talker in "
        f"{room.talker_dtype} and the flow in {room.flow_dtype}, processes and weights take {fixed_mib} MiB, and "
        f"{'one stream' if streams == 1 else f'{streams} streams'} at least {need_mib} MiB more for keys and values; "
        f"found {room.usable_mib} MiB that may be used, {max(0, room.flow_kv_mib(streams))} of them for keys and values"
    )
    memory_mib = math.ceil((fixed_mib + need_mib) / settings.memory_share)
    helps = [text for text, other in _others(room) if _plan(card, sizes, other) is not None]
    return f"{told}. What helps: {', or '.join([*helps, f'a card of {memory_mib} MiB'])}"


def _others(room: _Room) -> list[tuple[str, PlanSettings]]:
    """Settings that take less, in words too."""
    settings = room.settings
    others = []
    fewer = room.most_streams(settings.streams, _LEAST_WINDOW_S)
    if fewer:
        others.append((f"max_streams = {fewer}", replace(settings, streams=fewer)))
    if room.card.has_bf16:
        halves = replace(settings, talker_dtype="bfloat16", flow_dtype="bfloat16")
        others.append(("bfloat16 for talker and flow", halves))
    others.append(("talker_graphs = false, which is slower", replace(settings, graphs=False)))
    others.append(("no talker_kv_mib and kv_mib", replace(settings, talker_kv_mib=0, flow_kv_mib=0)))
    others.append(("gpu_memory_share = 1.0", replace(settings, memory_share=1.0)))
    return others


def _total(items: tuple[PlanItem, ...]) -> int:
    return sum(item.mib for item in items)


def _mib(bytes_: int) -> int:
    """Rounded up."""
    return -(-bytes_ // MIB)
