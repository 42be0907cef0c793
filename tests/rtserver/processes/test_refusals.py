"""Requests that are refused for a while."""

from __future__ import annotations

from rtserver.processes.refusals import Fingerprint, Refusals


def said(tenant: str = "t", *recordings: str, ids: tuple[int, ...] = (1, 2, 3)) -> Fingerprint:
    fingerprint = Fingerprint(tenant, *(recordings or ("", "")))
    fingerprint.add_ids(ids)
    return fingerprint


def test_the_same_is_refused_until_its_time_is_over() -> None:
    """The same text and recordings of the same tenant; however the text was cut."""
    refusals = Refusals(300.0)
    refusals.add(said(), 0.0)
    other_cut = Fingerprint("t", "", "")
    other_cut.add_ids([1])
    assert other_cut not in refusals
    other_cut.add_ids([2, 3])
    assert said() in refusals and other_cut in refusals
    for different in (said("other"), said("t", "abc", ""), said(ids=(1, 2)), said(ids=(1, 2, 3, 4))):
        assert different not in refusals
    refusals.forget_old(299.9)
    assert said() in refusals
    refusals.forget_old(300.0)
    assert said() not in refusals


def test_a_recording_alone_says_something_and_nothing_does_not() -> None:
    """A request without text and recording is like any other, and is not refused."""
    refusals = Refusals()
    refusals.add(said(ids=()), 0.0)
    assert said(ids=()) not in refusals
    refusals.add(said("t", "", "abc", ids=()), 0.0)
    assert said("t", "", "abc", ids=()) in refusals and said("t", "", "abd", ids=()) not in refusals


def test_text_counts_as_it_is_written() -> None:
    """Also where a process has not read it."""
    refusals, one, same = Refusals(), Fingerprint("t"), Fingerprint("t")
    one.add_text("Hello")
    refusals.add(one, 0.0)
    for piece in ("Hel", "lo"):
        same.add_text(piece)
    assert same in refusals
    same.add_text("\ud800")
    assert same not in refusals


def test_only_so_many_are_remembered() -> None:
    """The oldest are forgotten first."""
    refusals = Refusals()
    for number in range(1001):
        refusals.add(said(ids=(number,)), 0.0)
    assert said(ids=(0,)) not in refusals and said(ids=(1,)) in refusals and said(ids=(1000,)) in refusals
