"""The slots' operations as Triton kernels: one launch each. `PlainKernels` says what each operation is.

Only this file imports Triton. Without a GPU the kernels run under Triton's interpreter.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from cosyvoice.flow.dit import NORM_EPS
from cosyvoice.flow.paged.pages import PagePool
from cosyvoice.flow.paged.slots import SlotRows
from cosyvoice.flow.tails import TAIL_FRAMES

# Numbers of a frame that one program of the convolutions' input takes.
_CONV_DIM = 32
# Numbers that differ from call to call. Triton would compile a kernel for each combination of those that are 1, that 16
# divides, and others: tens of kernels, seconds each. No address needs that, because all are made of whole frames.
_VARYING = ("numbers_stride", "rows", "slots", "layer", "kept_sheets")


class TritonKernels:
    """Of one Euler step. A batch is [rows, slots, frames, dim]."""

    def __init__(self, slots: SlotRows, pool: PagePool, rotation: Tensor) -> None:
        """rotation: of each absolute frame, [frames, head_dim / 2] complex."""
        self._slots, self._pool = slots, pool
        self._rotation = torch.view_as_real(rotation)

    def conv_input(self, x: Tensor, convolution: int) -> Tensor:
        """As in PlainKernels."""
        rows, slots, frames, dim = x.shape
        padded = x.new_empty((rows * slots, dim, TAIL_FRAMES + frames))
        numbers, tails = self._slots.numbers, self._pool.tails
        _conv_input[(rows * slots, triton.cdiv(dim, _CONV_DIM))](
            x,
            *x.stride(),
            tails,
            padded,
            self._slots.context,
            self._slots.tails_out,
            numbers.stride(0),
            convolution,
            rows,
            slots,
            FRAMES=frames,
            DIM=dim,
            TAIL=TAIL_FRAMES,
            BLOCK_FRAMES=triton.next_power_of_2(TAIL_FRAMES + frames),
            BLOCK_DIM=_CONV_DIM,
        )
        return padded

    def norm(self, h: Tensor, modulation: Tensor, scale: int, shift: int) -> Tensor:
        """As in PlainKernels."""
        return self._normed(h, None, modulation, 0, modulation, scale, shift)

    def add_norm(
        self, h: Tensor, out: Tensor, gates: Tensor, gate: int, modulation: Tensor, scale: int, shift: int
    ) -> Tensor:
        """As in PlainKernels."""
        return self._normed(h, out, gates, gate, modulation, scale, shift)

    def _normed(
        self, h: Tensor, out: Tensor | None, gates: Tensor, gate: int, modulation: Tensor, scale: int, shift: int
    ) -> Tensor:
        dim = h.shape[-1]
        normed = h.new_empty(h.shape, dtype=modulation.dtype)
        _add_norm[(h.numel() // dim,)](
            h,
            h if out is None else out,
            gates,
            gates.shape[1],
            gate,
            modulation,
            modulation.shape[1],
            scale,
            shift,
            normed,
            self._slots.steps,
            self._slots.numbers.stride(0),
            self._slots.slots,
            FRAMES=self._pool.page_frames,
            DIM=dim,
            EPS=NORM_EPS,
            ADD=out is not None,
            BLOCK=triton.next_power_of_2(dim),
        )
        return normed

    def attend(self, qkv: Tensor, layer: int) -> Tensor:
        """As in PlainKernels."""
        rows, slots, frames, _, heads, head_dim = qkv.shape
        inner = heads * head_dim
        numbers, sheets = self._slots.numbers, self._pool.sheets
        _write[(rows * slots * frames,)](
            qkv,
            self._rotation,
            sheets,
            self._slots.own_sheets,
            self._slots.first_frames,
            numbers.stride(0),
            layer,
            self._pool.kept_sheets,
            rows,
            slots,
            FRAMES=frames,
            HEADS=heads,
            HEAD_DIM=head_dim,
            BLOCK=triton.next_power_of_2(inner),
        )
        out = qkv.new_empty((rows, slots, frames, inner))
        _attend[(slots, rows * heads)](
            qkv,
            self._rotation,
            sheets,
            self._slots.tables,
            self._slots.table_lengths,
            self._slots.last_frames,
            self._slots.first_frames,
            numbers.stride(0),
            layer,
            self._pool.kept_sheets,
            out,
            rows,
            slots,
            head_dim**-0.5,
            FRAMES=frames,
            HEADS=heads,
            HEAD_DIM=head_dim,
            BLOCK_FRAMES=max(16, triton.next_power_of_2(frames)),
        )
        return out


@triton.jit(do_not_specialize=("numbers_stride", "rows", "slots", "convolution"))
def _conv_input(
    x,
    row_stride,
    slot_stride,
    frame_stride,
    dim_stride,
    tails,
    padded,
    context,
    tails_out,
    numbers_stride,
    convolution,
    rows,
    slots,
    FRAMES: tl.constexpr,
    DIM: tl.constexpr,
    TAIL: tl.constexpr,
    BLOCK_FRAMES: tl.constexpr,
    BLOCK_DIM: tl.constexpr,
):
    """One program: one slot of one row, some numbers of each frame."""
    row, slot = tl.program_id(0) // slots, tl.program_id(0) % slots
    at = tl.arange(0, BLOCK_FRAMES)
    dims = tl.program_id(1) * BLOCK_DIM + tl.arange(0, BLOCK_DIM)
    in_dim = dims < DIM
    # The left context comes from frames of the batch (numbers from 0 on) or from tails (negative numbers).
    is_context = at < TAIL
    source = tl.load(context + slot * numbers_stride + at, mask=is_context, other=-1)
    is_own = (at >= TAIL) & (at < TAIL + FRAMES)
    from_batch = is_own | (is_context & (source >= 0))
    frame = tl.where(is_own, slot * FRAMES + at - TAIL, tl.maximum(source, 0))
    places = row * row_stride + (frame // FRAMES) * slot_stride + (frame % FRAMES) * frame_stride
    values = tl.load(
        x + places[:, None] + dims[None, :] * dim_stride, mask=from_batch[:, None] & in_dim[None, :], other=0.0
    )
    tail_frame = tl.where(source < 0, -1 - source, 0)
    unit = (tail_frame // TAIL + convolution).to(tl.int64)
    tail_places = ((unit * rows + row) * TAIL + tail_frame % TAIL) * DIM
    from_tails = is_context & (source < 0)
    values += tl.load(
        tails + tail_places[:, None] + dims[None, :], mask=from_tails[:, None] & in_dim[None, :], other=0.0
    )
    written = (at < TAIL + FRAMES)[:, None] & in_dim[None, :]
    out_places = (tl.program_id(0) * DIM + dims[None, :]) * (TAIL + FRAMES) + at[:, None]
    tl.store(padded + out_places, values, mask=written)
    out_unit = (tl.load(tails_out + slot * numbers_stride) + convolution).to(tl.int64)
    next_places = ((out_unit * rows + row) * TAIL + at[:, None] - FRAMES) * DIM + dims[None, :]
    tl.store(tails + next_places, values, mask=written & (at >= FRAMES)[:, None])


@triton.jit(do_not_specialize=("numbers_stride", "slots", "gate_parts", "gate", "parts", "scale", "shift"))
def _add_norm(
    h,
    out,
    gates,
    gate_parts,
    gate,
    modulation,
    parts,
    scale,
    shift,
    normed,
    steps,
    numbers_stride,
    slots,
    FRAMES: tl.constexpr,
    DIM: tl.constexpr,
    EPS: tl.constexpr,
    ADD: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """One program: one frame of one row."""
    at = tl.program_id(0)
    step = tl.load(steps + (at // FRAMES) % slots * numbers_stride)
    dims = tl.arange(0, BLOCK)
    inside = dims < DIM
    places = at.to(tl.int64) * DIM + dims
    x = tl.load(h + places, mask=inside, other=0.0)
    if ADD:
        gated = tl.load(gates + (step * gate_parts + gate) * DIM + dims, mask=inside, other=0.0).to(tl.float32)
        x += gated * tl.load(out + places, mask=inside, other=0.0).to(tl.float32)
        tl.store(h + places, x, mask=inside)
    centred = tl.where(inside, x - tl.sum(x, 0) / DIM, 0.0)
    y = centred / tl.sqrt(tl.sum(centred * centred, 0) / DIM + EPS)
    scales = tl.load(modulation + (step * parts + scale) * DIM + dims, mask=inside, other=0.0).to(tl.float32)
    shifts = tl.load(modulation + (step * parts + shift) * DIM + dims, mask=inside, other=0.0).to(tl.float32)
    tl.store(normed + places, (y * scales + shifts).to(normed.dtype.element_ty), mask=inside)


@triton.jit(do_not_specialize=_VARYING)
def _write(
    qkv,
    rotation,
    sheets,
    own_sheets,
    first_frames,
    numbers_stride,
    layer,
    kept_sheets,
    rows,
    slots,
    FRAMES: tl.constexpr,
    HEADS: tl.constexpr,
    HEAD_DIM: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Keys, rotated in head 0, and values to the slot's own sheet. One program: one frame of one row."""
    at = tl.program_id(0)
    frame, slot, row = at % FRAMES, (at // FRAMES) % slots, at // FRAMES // slots
    inner: tl.constexpr = HEADS * HEAD_DIM
    numbers = tl.arange(0, BLOCK)
    inside = numbers < inner
    head, place = numbers // HEAD_DIM, numbers % HEAD_DIM
    source = qkv + at.to(tl.int64) * 3 * inner
    key = tl.load(source + inner + numbers, mask=inside, other=0.0)
    pair = tl.load(source + inner + (numbers ^ 1), mask=inside, other=0.0).to(tl.float32)
    turn = rotation + (tl.load(first_frames + slot * numbers_stride) + frame) * HEAD_DIM + place // 2 * 2
    cosine, sine = tl.load(turn, mask=inside, other=1.0), tl.load(turn + 1, mask=inside, other=0.0)
    turned = key.to(tl.float32) * cosine + tl.where(place % 2 == 0, -pair, pair) * sine
    key = tl.where(head == 0, turned.to(key.dtype), key)
    sheet = tl.load(own_sheets + slot * numbers_stride)
    sheet = (sheet + tl.where(sheet < kept_sheets, layer, 0)).to(tl.int64)
    target = sheets + ((sheet * 2 * rows + row) * HEADS + head) * FRAMES * HEAD_DIM + frame * HEAD_DIM + place
    tl.store(target, key, mask=inside)
    value = tl.load(source + 2 * inner + numbers, mask=inside, other=0.0)
    tl.store(target + rows * inner * FRAMES, value, mask=inside)


@triton.jit(do_not_specialize=_VARYING)
def _attend(
    qkv,
    rotation,
    sheets,
    tables,
    table_lengths,
    last_frames,
    first_frames,
    numbers_stride,
    layer,
    kept_sheets,
    out,
    rows,
    slots,
    scale,
    FRAMES: tl.constexpr,
    HEADS: tl.constexpr,
    HEAD_DIM: tl.constexpr,
    BLOCK_FRAMES: tl.constexpr,
):
    """One program: one head of one row of one slot. It reads one sheet a turn."""
    slot = tl.program_id(0)
    row, head = tl.program_id(1) // HEADS, tl.program_id(1) % HEADS
    inner: tl.constexpr = HEADS * HEAD_DIM
    frames, places = tl.arange(0, BLOCK_FRAMES), tl.arange(0, HEAD_DIM)
    inside = (frames < FRAMES)[:, None]
    first = (row * slots + slot).to(tl.int64) * FRAMES
    source = qkv + (first + frames[:, None]) * 3 * inner + head * HEAD_DIM
    query = tl.load(source + places[None, :], mask=inside, other=0.0)
    if head == 0:
        pair = tl.load(source + (places ^ 1)[None, :], mask=inside, other=0.0).to(tl.float32)
        position = tl.load(first_frames + slot * numbers_stride) + frames[:, None]
        turn = rotation + position * HEAD_DIM + (places // 2 * 2)[None, :]
        cosine, sine = tl.load(turn, mask=inside, other=1.0), tl.load(turn + 1, mask=inside, other=0.0)
        signed = tl.where((places % 2 == 0)[None, :], -pair, pair)
        query = (query.to(tl.float32) * cosine + signed * sine).to(query.dtype)
    length = tl.load(table_lengths + slot * numbers_stride)
    seen_of_last = tl.load(last_frames + slot * numbers_stride)
    highest = tl.full((BLOCK_FRAMES,), float("-inf"), tl.float32)
    total = tl.zeros((BLOCK_FRAMES,), tl.float32)
    result = tl.zeros((BLOCK_FRAMES, HEAD_DIM), tl.float32)
    for entry in range(length):
        sheet = tl.load(tables + slot * numbers_stride + entry)
        sheet = (sheet + tl.where(sheet < kept_sheets, layer, 0)).to(tl.int64)
        keys = sheets + ((sheet * 2 * rows + row) * HEADS + head) * FRAMES * HEAD_DIM
        block = frames[:, None] * HEAD_DIM + places[None, :]
        key = tl.load(keys + block, mask=inside, other=0.0)
        scores = tl.dot(query, tl.trans(key), input_precision="ieee") * scale
        seen = frames < tl.where(entry == length - 1, seen_of_last, FRAMES)
        scores = tl.where(seen[None, :], scores, float("-inf"))
        higher = tl.maximum(highest, tl.max(scores, 1))
        share = tl.exp(scores - higher[:, None])
        shrink = tl.exp(highest - higher)
        # What is not seen has no share, but memory that was never written may hold NaN.
        value = tl.load(keys + rows * inner * FRAMES + block, mask=seen[:, None] & inside, other=0.0)
        result = result * shrink[:, None] + tl.dot(share.to(value.dtype), value, input_precision="ieee")
        total = total * shrink + tl.sum(share, 1)
        highest = higher
    target = out + (first + frames[:, None]) * inner + head * HEAD_DIM + places[None, :]
    tl.store(target, (result / total[:, None]).to(out.dtype.element_ty), mask=inside)
