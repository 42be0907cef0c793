"""The filter of silent runs."""

from hypothesis import given
from hypothesis import strategies as st

from cosyvoice.talker.silence import SilenceGate


@given(st.lists(st.integers(0, 5)), st.lists(st.integers(1, 4)), st.integers(1, 4))
def test_runs_are_cut_and_nothing_else(tokens: list[int], cuts: list[int], max_run: int) -> None:
    """At most max_run silent tokens in a row pass; other tokens all pass, in order, however the stream is cut."""
    whole = SilenceGate({0, 1}, max_run).filter(tokens)
    gate, pieces, at = SilenceGate({0, 1}, max_run), [], 0
    for cut in [*cuts, len(tokens)]:
        pieces += gate.filter(tokens[at : at + cut])
        at += cut
    assert pieces == whole
    assert [t for t in whole if t > 1] == [t for t in tokens if t > 1]
    run = longest = 0
    for token in whole:
        run = run + 1 if token <= 1 else 0
        longest = max(longest, run)
    assert longest <= max_run
