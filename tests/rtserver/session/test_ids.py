"""Ids of utterances."""

import re

from rtserver.session.ids import new_utterance_id


def test_an_id_is_short_and_never_the_same() -> None:
    """It is read out and pasted into a search: lower case, and none of the digits that look like letters (0, 1, 8)."""
    ids = [new_utterance_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert all(re.fullmatch("u_[a-z2-7]{12}", name) for name in ids)
