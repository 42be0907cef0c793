"""Intervals of time. Pure. A list of intervals is sorted, and no two of them overlap."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Interval = tuple[float, float]


def merged(intervals: Iterable[Interval], apart_s: float = 0.0) -> list[Interval]:
    """The same time as a list of intervals. Those at most `apart_s` from each other become one."""
    joined: list[Interval] = []
    for start_s, end_s in sorted(intervals):
        if joined and start_s <= joined[-1][1] + apart_s:
            joined[-1] = joined[-1][0], max(joined[-1][1], end_s)
        elif end_s > start_s:
            joined.append((start_s, end_s))
    return joined


def common(one: Sequence[Interval], other: Sequence[Interval]) -> list[Interval]:
    """What is in both."""
    found: list[Interval] = []
    first, second = 0, 0
    while first < len(one) and second < len(other):
        start_s = max(one[first][0], other[second][0])
        end_s = min(one[first][1], other[second][1])
        if start_s < end_s:
            found.append((start_s, end_s))
        if one[first][1] < other[second][1]:
            first += 1
        else:
            second += 1
    return found


def without(one: Sequence[Interval], other: Sequence[Interval]) -> list[Interval]:
    """What is in `one` and not in `other`."""
    left: list[Interval] = []
    for start_s, end_s in one:
        for cut_start_s, cut_end_s in other:
            if cut_end_s <= start_s or cut_start_s >= end_s:
                continue
            if cut_start_s > start_s:
                left.append((start_s, cut_start_s))
            start_s = cut_end_s
        if start_s < end_s:
            left.append((start_s, end_s))
    return left


def length_s(intervals: Iterable[Interval]) -> float:
    """How long they are together."""
    return sum(end_s - start_s for start_s, end_s in intervals)
