"""Runs the Triton kernels under Triton's interpreter, in an environment that has it. Prints what it found, as JSON."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from cosyvoice.config import DitConfig, FlowConfig
from cosyvoice.flow.budget import KvBudget
from cosyvoice.flow.dit import rotation_angles
from cosyvoice.flow.flow import Flow
from cosyvoice.flow.kv import KvShape
from cosyvoice.flow.memory import FlowMemory
from cosyvoice.flow.paged import triton_kernels
from cosyvoice.flow.paged.pages import PagePool
from cosyvoice.flow.paged.plain import PlainKernels
from cosyvoice.flow.paged.slots import SlotRows
from cosyvoice.flow.paged.triton_kernels import TritonKernels
from cosyvoice.flow.stepper import FlowStepper
from cosyvoice.flow.stream import FlowStream
from cosyvoice.flow.tails import TAIL_FRAMES, TailsShape
from tests.cosyvoice.flow.speaking import SMALL, ids, make_voice, next_hop, recompute
from tests.host_syncs import HostSyncs

ROWS, FRAMES, HEAD_DIM, STEPS, LAYERS, PAGES, TABLE = 2, 50, 64, 2, 2, 10, 6
# What allocates or looks at memory, and launches nothing.
NO_LAUNCHES = ("empty", "new_empty", "empty_like", "_unsafe_view")
# What `to` and `float` are. They launch something where the type changes.
CONVERSIONS = ("to", "_to_copy")


def random_pool(heads: int, generator: torch.Generator) -> PagePool:
    """A pool of random pages."""
    shape = KvShape(STEPS, LAYERS, ROWS, heads, HEAD_DIM, torch.float32, torch.device("cpu"))
    tails = TailsShape(STEPS, ROWS, heads * HEAD_DIM, torch.float32, shape.device)
    page_bytes = FRAMES * shape.frame_bytes + tails.size_bytes
    pool = PagePool(shape, tails, FRAMES, KvBudget(PAGES * page_bytes + 100 * FRAMES))
    pool.sheets.normal_(generator=generator)
    pool.tails.normal_(generator=generator)
    return pool


def random_slots(pool: PagePool, slots: int, generator: torch.Generator) -> SlotRows:
    """Slots with random steps, tables and lengths. Each has a page of its own, or a scratch sheet."""

    def draw(low: int, high: int, *size: int) -> np.ndarray[Any, Any]:
        return torch.randint(low, high, size, generator=generator, dtype=torch.int32).numpy()

    rows = np.zeros((slots, 6 + TAIL_FRAMES + TABLE), np.int32)
    steps, lengths = draw(0, STEPS, slots), draw(1, TABLE + 1, slots)
    # The last pages belong to no slot: all may see them.
    shared = PAGES - 2
    for slot, row in enumerate(rows):
        in_page = (slot * STEPS + steps[slot]) * LAYERS
        own = in_page if slot % 2 and slot < shared else pool.kept_sheets + slot
        tails_out = 2 * STEPS * (2 + slot)
        row[:6] = steps[slot], FRAMES * draw(0, 9, 1)[0], own, lengths[slot], draw(1, FRAMES + 1, 1)[0], tails_out
        row[6 : 6 + TAIL_FRAMES] = draw(-2 * STEPS * TAIL_FRAMES, slots * FRAMES, TAIL_FRAMES)
        others = (draw(shared, PAGES, TABLE) * STEPS + steps[slot]) * LAYERS
        row[6 + TAIL_FRAMES :] = np.where(np.arange(TABLE) == lengths[slot] - 1, own, others)
    return SlotRows(torch.from_numpy(rows), TABLE)


def attention64(qkv: Tensor, slots: SlotRows, pool: PagePool, layer: int, angles: Tensor) -> tuple[Tensor, Tensor]:
    """Attention in float64, slot by slot, and the sheets after it."""
    qkv, sheets = qkv.double().clone(), pool.sheets.double().clone()
    outs = []
    moved = [int(s) + (layer if s < pool.kept_sheets else 0) for s in slots.own_sheets]
    for slot, sheet in enumerate(moved):
        turn = angles[slots.first_frames[slot] : slots.first_frames[slot] + FRAMES].double()
        for part in range(2):
            x = qkv[:, slot, :, part, 0].unflatten(-1, (-1, 2))
            even, odd = x[..., 0].clone(), x[..., 1].clone()
            x[..., 0] = even * turn.cos() - odd * turn.sin()
            x[..., 1] = odd * turn.cos() + even * turn.sin()
            qkv[:, slot, :, part, 0] = x.flatten(-2)
        sheets[sheet] = qkv[:, slot, :, 1:].permute(2, 0, 3, 1, 4)
    for slot in range(slots.slots):
        length, last = int(slots.table_lengths[slot]), int(slots.last_frames[slot])
        seen = [int(s) + (layer if s < pool.kept_sheets else 0) for s in slots.tables[slot, :length]]
        keys, values = torch.cat([sheets[s] for s in seen], -2)[..., : (length - 1) * FRAMES + last, :]
        query = qkv[:, slot, :, 0].transpose(1, 2)
        shares = torch.softmax(query @ keys.transpose(-1, -2) * HEAD_DIM**-0.5, -1)
        outs.append((shares @ values).transpose(1, 2).flatten(2))
    return torch.stack(outs, 1), sheets


def deviations(slots_count: int, heads: int) -> dict[str, float]:
    """The largest deviation of each operation from float64, or from the plain form where that only moves numbers."""
    generator = torch.Generator().manual_seed(slots_count)
    pool = random_pool(heads, generator)
    slots = random_slots(pool, slots_count, generator)
    angles = rotation_angles(HEAD_DIM, 10 * FRAMES)
    rotation = torch.polar(torch.ones_like(angles), angles)
    kernels, dim = TritonKernels(slots, pool, rotation), heads * HEAD_DIM
    qkv = torch.randn(ROWS, slots_count, FRAMES, 3, heads, HEAD_DIM, generator=generator)
    expected, sheets = attention64(qkv, slots, pool, 1, angles)
    found = {"attend": _most(kernels.attend(qkv, 1), expected), "write": _most(pool.sheets, sheets)}
    h, out = (torch.randn(ROWS, slots_count, FRAMES, dim, generator=generator) for _ in range(2))
    modulation = torch.randn(STEPS, 6, dim, generator=generator)
    parts = modulation[slots.steps].double()[:, :, None]
    found["norm"] = _most(kernels.norm(h, modulation, 1, 0), _normed(h.double()) * parts[:, 1] + parts[:, 0])
    after = h.double() + parts[:, 2] * out.double()
    normed = kernels.add_norm(h, out, modulation, 2, modulation, 4, 3)
    found["add_norm"] = max(_most(h, after), _most(normed, _normed(after) * parts[:, 4] + parts[:, 3]))
    tails = pool.tails.clone()
    padded = kernels.conv_input(out.transpose(2, 3).contiguous().transpose(2, 3), 1)
    written = pool.tails.clone()
    pool.tails.copy_(tails)
    found["conv_input"] = _most(padded, PlainKernels(slots, pool, rotation).conv_input(out, 1))
    found["tails"] = _most(written, pool.tails)
    return found


def streams(slot_classes: tuple[int, ...]) -> float:
    """The largest deviation of the mel of two streams from one pass with plain kernels."""
    torch.manual_seed(0)
    weights = Flow(SMALL).requires_grad_(False)
    flow = FlowStepper(weights, FlowMemory(SMALL, kv_bytes=1 << 24, paged=True), slot_classes, TritonKernels)
    plain = FlowStepper(weights, FlowMemory(SMALL, kv_bytes=1 << 24))
    voice, texts = make_voice(flow, 8), (ids(2, seed=2), ids(7, seed=3))
    opened = [FlowStream(flow, voice) for _ in texts]
    mels: list[list[Tensor]] = [[], []]
    while not all(stream.ended for stream in opened):
        left = [n for n, stream in enumerate(opened) if not stream.ended]
        jobs = [next_hop(opened[n], texts[n]) for n in left]
        flow.tick(jobs[:1])
        while not all(job.done for job in jobs):
            flow.tick([job for job in jobs if not job.done])
        for n, job in zip(left, jobs, strict=True):
            mels[n].append(job.mel)
    return max(_most(torch.cat(mel, 1), recompute(plain, 8, text)) for mel, text in zip(mels, texts, strict=True))


class Launches(TorchDispatchMode):
    """Counts what a GPU would be told to do, by kind."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kinds = Counter[str]()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name, made = func.overloadpacket.__name__, func(*args, **(kwargs or {}))
        if name in CONVERSIONS:
            self.kinds["conversion"] += made.dtype != args[0].dtype
        else:
            self.kinds[name] += not func.is_view and name not in NO_LAUNCHES
        return made


@contextmanager
def counted_kernels(kinds: Counter[str]) -> Iterator[None]:
    """Triton kernels are counted and not run."""

    class Counted:
        def __init__(self, name: str) -> None:
            self.name = name

        def __getitem__(self, grid: object) -> Callable[..., None]:
            def launch(*arguments: object, **constants: object) -> None:
                kinds["triton" + self.name] += 1

            return launch

    names = ("_conv_input", "_add_norm", "_write", "_attend")
    kernels = {name: getattr(triton_kernels, name) for name in names}
    for name in names:
        setattr(triton_kernels, name, Counted(name))
    try:
        yield
    finally:
        for name, kernel in kernels.items():
            setattr(triton_kernels, name, kernel)


def launches(hops: int) -> dict[str, Any]:
    """What one Euler step of so many streams launches at the released size, by kind, and its copies to and from the
    host. On a device without numbers."""
    config = FlowConfig(vocab=6561, lookahead_channels=1024, dit=DitConfig(1024, 22, 16, 64))
    device = torch.device("meta")
    memory = FlowMemory(config, kv_bytes=200 << 30, dtype=torch.bfloat16, device=device, paged=True)
    with device:
        weights = Flow(config)
    # The check of the rotation reads numbers.
    weights.decoder.estimator.rotary_embed.inv_freq = Flow(SMALL64).decoder.estimator.rotary_embed.inv_freq
    flow = FlowStepper(weights, memory, make_kernels=TritonKernels)
    voice = flow.voice([1] * 3, torch.zeros(6, 80), torch.ones(192))
    opened = [FlowStream(flow, voice) for _ in range(hops)]
    jobs = [stream.hop([1] * 25, final=False) for stream in opened]
    counter, syncs = Launches(), HostSyncs()
    with counted_kernels(Counter()):
        flow.tick(jobs[:1])
        with syncs:
            flow.tick(jobs)
    with counted_kernels(counter.kinds), counter:
        flow.tick(jobs)
    kinds = {kind: count for kind, count in counter.kinds.most_common() if count}
    return {"all": sum(kinds.values()), "kinds": kinds, "uploads": syncs.uploads, "downloads": syncs.downloads}


SMALL64 = FlowConfig(vocab=60, lookahead_channels=12, dit=DitConfig(dim=64, depth=1, heads=1, head_dim=64))


def _normed(h: Tensor) -> Tensor:
    centred = h - h.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + 1e-6).sqrt()


def _most(found: Tensor, expected: Tensor) -> float:
    """NaN counts as infinite."""
    return float((found.double() - expected.double()).abs().nan_to_num(torch.inf).max())


if __name__ == "__main__":
    told: dict[str, Any] = {}
    told["deviations"] = {
        f"{slots} slots, {heads} heads": deviations(slots, heads) for slots, heads in ((4, 16), (8, 2))
    }
    told["streams"] = streams((3,))
    told["launches"] = {hops: launches(hops) for hops in (1, 8, 32)}
    json.dump(told, sys.stdout)
