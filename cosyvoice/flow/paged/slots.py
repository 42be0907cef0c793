"""What one Euler step needs to know of its slots, as rows of integers. Made on the host, copied to the device at once.

A slot is one chunk of one job at one Euler step. A chunk that is not full takes a whole slot: what is computed for the
frames after its end is dropped. The chunks of a job have neighbouring slots.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cosyvoice.flow.hop import HopJob
from cosyvoice.flow.ode import NOISE_FRAMES
from cosyvoice.flow.paged.pages import SCRATCH_SHEETS, UNREAD_TAILS, ZERO_TAILS, Page, PagePool, PooledTails
from cosyvoice.flow.tails import CONVOLUTIONS, TAIL_FRAMES, Tails

# Slots of one batch, unless one job alone has more.
MOST_SLOTS = SCRATCH_SHEETS
# Numbers of slots that batches are padded to where each has a graph of its own.
SLOT_CLASSES = (1, 2, 4, 8, 12, 16, 24, 32, 48, MOST_SLOTS)
# The first columns of a slot's row.
STEP, FIRST_FRAME, OWN_SHEET, TABLE_LENGTH, LAST_FRAMES, TAILS_OUT = range(6)
# Where its context and its table begin.
CONTEXT = 6
TABLE = CONTEXT + TAIL_FRAMES


# A slot's row: the first columns, the context, the table.
_Described = tuple[list[int], list[int], list[int]]


@dataclass(frozen=True)
class SlotRows:
    """Rows of integers on the device, one a slot, and their columns as views."""

    # [slots, columns] int32.
    numbers: Tensor
    # How many entries of the tables are in use, at most.
    table_width: int

    @property
    def slots(self) -> int:
        return self.numbers.shape[0]

    @property
    def steps(self) -> Tensor:
        """The Euler step of each slot."""
        return self.numbers[:, STEP]

    @property
    def first_frames(self) -> Tensor:
        """The first frame, counted from the prompt's start."""
        return self.numbers[:, FIRST_FRAME]

    @property
    def own_sheets(self) -> Tensor:
        """Where the slot's keys and values go: the sheet of layer 0."""
        return self.numbers[:, OWN_SHEET]

    @property
    def table_lengths(self) -> Tensor:
        """Entries of the slot's table."""
        return self.numbers[:, TABLE_LENGTH]

    @property
    def last_frames(self) -> Tensor:
        """Frames of the table's last sheet that are seen. All others are seen whole."""
        return self.numbers[:, LAST_FRAMES]

    @property
    def tails_out(self) -> Tensor:
        """Where the convolutions' tails go: the first convolution's place in the pool."""
        return self.numbers[:, TAILS_OUT]

    @property
    def context(self) -> Tensor:
        """[slots, 30]: where each frame of the convolutions' left context comes from. A frame of the batch, or -1 - f
        for frame f of the pool of tails, as the first convolution counts."""
        return self.numbers[:, CONTEXT:TABLE]

    @property
    def tables(self) -> Tensor:
        """[slots, table_width]: the sheets that the slot sees, in layer 0. Entries after its length are its own sheet,
        so that they hold numbers."""
        return self.numbers[:, TABLE : TABLE + self.table_width]


def job_slots(job: HopJob, page_frames: int) -> int:
    """How many slots a job takes."""
    return -(-job.frames // page_frames)


def slot_classes(most_hops: int) -> tuple[int, ...]:
    """The numbers of slots for steps of at most this many hops, which take one slot each, or two at their end. A card
    for few streams has little memory to try and capture more. 0: all."""
    most_slots = 2 * most_hops or MOST_SLOTS
    return tuple(size for size, less in zip(SLOT_CLASSES, (0, *SLOT_CLASSES), strict=False) if less < most_slots)


def batches(jobs: Sequence[HopJob], page_frames: int) -> Iterator[list[HopJob]]:
    """The jobs in order, in batches of at most MOST_SLOTS slots. A job is never divided."""
    batch: list[HopJob] = []
    slots = 0
    for job in jobs:
        more = job_slots(job, page_frames)
        if batch and slots + more > MOST_SLOTS:
            yield batch
            batch, slots = [], 0
        batch.append(job)
        slots += more
    yield batch


class SlotPacker:
    """Makes the rows."""

    def __init__(self, pool: PagePool) -> None:
        self._pool = pool
        self._frames = pool.page_frames
        self._steps, self._layers = pool.shape.steps, pool.shape.layers

    def pack(self, jobs: Sequence[HopJob], slots: int, columns: int | None = None) -> tuple[NDArray[np.int32], int]:
        """Rows for this many slots, and the length of the longest table. Slots that no job needs compute what nobody
        reads. columns: room for tables; None: as much as they need. Raises ValueError for a job that keeps nothing and
        has too many chunks."""
        described: list[_Described] = []
        for job in jobs:
            described += self._job_rows(job, len(described))
        described += [self._idle_row(slot) for slot in range(len(described), slots)]
        longest = max(len(table) for _, _, table in described)
        rows = np.empty((slots, TABLE + (columns or longest)), np.int32)
        for row, (numbers, context, table) in zip(rows, described, strict=True):
            row[:CONTEXT] = numbers
            row[CONTEXT:TABLE] = context
            row[TABLE : TABLE + len(table)] = table
            row[TABLE + len(table) :] = numbers[OWN_SHEET]
        return rows, longest

    def _job_rows(self, job: HopJob, first_slot: int) -> Iterator[_Described]:
        size, seen = self._frames, list(self._seen(job, first_slot))
        own = {at: sheet for at, pinned, sheet in seen if not pinned}
        starts = range(0, job.frames, size)
        for at in starts:
            start, end = next(chunk for chunk in job.chunks if chunk[0] <= at < chunk[1])
            begin = -NOISE_FRAMES if job.left_frames is None else start - job.left_frames
            table = [sheet for place, pinned, sheet in seen if pinned or begin <= place < end]
            tails_out = self._tails_place(job.tails_out if at == starts[-1] else None, job.step, UNREAD_TAILS)
            numbers = [job.step, job.first_frame + at, own[at], len(table), (end - 1) % size + 1, tails_out]
            # Frames of the job that are in this batch, and before them the end of its tails.
            inside = range(max(at - TAIL_FRAMES, 0), at)
            first_tail = self._tails_place(job.tails_in, job.step, ZERO_TAILS) * TAIL_FRAMES
            before = range(first_tail + min(at, TAIL_FRAMES), first_tail + TAIL_FRAMES)
            context = [-1 - frame for frame in before] + [first_slot * size + frame for frame in inside]
            yield numbers, context, table

    def _seen(self, job: HopJob, first_slot: int) -> Iterator[tuple[int, bool, int]]:
        """What a job sees, page by page: the first frame, whether it is always seen, and the sheet in layer 0."""
        for span in job.spans:
            for at in range(span.first, span.last, self._frames):
                if isinstance(span.block, Page):
                    assert span.offset == 0 and at % self._frames == 0, "a job sees whole pages"
                    yield at, span.pinned, (span.block.number * self._steps + job.step) * self._layers
                else:
                    yield at, span.pinned, self._scratch_sheet(first_slot + at // self._frames)

    def _idle_row(self, slot: int) -> _Described:
        sheet = self._scratch_sheet(slot)
        first_tail = self._tails_place(None, 0, ZERO_TAILS) * TAIL_FRAMES
        context = [-1 - frame for frame in range(first_tail, first_tail + TAIL_FRAMES)]
        return [0, 0, sheet, 1, self._frames, self._tails_place(None, 0, UNREAD_TAILS)], context, [sheet]

    def _scratch_sheet(self, slot: int) -> int:
        if slot >= SCRATCH_SHEETS:
            seconds = SCRATCH_SHEETS * self._frames
            raise ValueError(f"expected at most {seconds} frames in a job that keeps nothing, found more")
        return self._pool.kept_sheets + slot

    def _tails_place(self, tails: Tails | None, step: int, otherwise: int) -> int:
        number = tails.number if isinstance(tails, PooledTails) else otherwise
        return (number * self._steps + step) * CONVOLUTIONS
