"""From a request to an utterance that can speak."""

from __future__ import annotations

import pytest

from cosyvoice.errors import CacheFull
from cosyvoice.voice.modes import ModeError
from rtserver.engine.acoustic.openings import Openings
from rtserver.ipc.engine import End, Open, Started
from rtserver.ipc.message import Message
from rtserver.ipc.preparing import Dismiss, PreparationKey, Prepare, Prepared
from rtserver.metrics.trace import Ring
from tests.rtserver.engine.acoustic.fakes import FakeModels

VOICE, SOURCE = PreparationKey("voice", "anna"), PreparationKey("source", "abc")


def openings(*missing: PreparationKey, kv_bytes: int = 1 << 30) -> tuple[Openings, list[Message]]:
    """Of voices that miss these, and what is sent."""
    models, sent = FakeModels(kv_bytes=kv_bytes), list[Message]()
    models.fake_voices.missing_keys = list(missing)
    return Openings(models, sent.append, Ring(), holds=True), sent


def test_what_misses_nothing_is_opened_at_once() -> None:
    """A realtime utterance has its memory then; batch work has not, and may wait for it."""
    made, sent = openings()
    realtime, batch = made.open(Open("u", "anna"), 1.0), made.open(Open("b", "anna", service_class="batch"), 1.0)
    assert realtime is not None and realtime.has_memory and not realtime.stream.standing.held
    assert batch is not None and not batch.has_memory and batch.stream.standing.held
    assert [m.utterance for m in sent if isinstance(m, Started)] == ["u", "b"]


def test_what_is_refused_is_not_started() -> None:
    """For its mode, or for want of memory."""
    made, sent = openings(kv_bytes=1 << 10)
    with pytest.raises(ModeError):
        made.open(Open("u", "anna", "sing"), 1.0)
    with pytest.raises(CacheFull):
        made.open(Open("u", "anna"), 1.0)
    assert sent == [] and len(made) == 0


def test_what_misses_something_waits_and_is_told_what_was_said() -> None:
    """It is asked for once for all who wait for it."""
    made, sent = openings(VOICE)
    assert made.open(Open("u", "anna"), 1.0) is None and made.open(Open("v", "anna"), 2.0) is None
    assert sent == [Prepare(VOICE)] and "u" in made and len(made) == 2
    made.say("u", End("u"), 3.0)
    ready, prepared = made.prepared(Prepared(VOICE))
    assert [(w.request.utterance, w.since_s, w.said) for w in ready] == [("u", 1.0, [(3.0, End("u"))]), ("v", 2.0, [])]
    assert not prepared.code and len(made) == 0


def test_what_was_prepared_is_not_asked_for_again() -> None:
    """Also when it is not in the cache all the same: it is encoded in this process then."""
    made, sent = openings(VOICE)
    made.open(Open("u", "anna"), 1.0)
    made.prepared(Prepared(VOICE))
    assert made.open(Open("v", "anna"), 2.0) is not None
    assert [m for m in sent if isinstance(m, Prepare)] == [Prepare(VOICE)]


def test_a_prompt_that_cannot_be_used_is_an_error() -> None:
    """Of ours; what only the failed utterance missed is not prepared any more."""
    made, sent = openings(VOICE, SOURCE)
    made.open(Open("u", "anna"), 1.0)
    ready, prepared = made.prepared(Prepared(VOICE, prompt=b"nonsense"))
    assert len(ready) == 1 and (prepared.code, prepared.message) == ("internal", "expected a prompt, found nonsense")
    assert sent[-1] == Dismiss(SOURCE)


def test_a_source_is_not_prepared_for_one_that_is_cancelled() -> None:
    """A voice is: its owner will probably ask again. Forgetting a stranger does nothing."""
    made, sent = openings(VOICE, SOURCE)
    made.open(Open("u", "anna"), 1.0)
    made.drop("stranger")
    made.drop("u")
    assert [m for m in sent if isinstance(m, Dismiss)] == [Dismiss(SOURCE)] and "u" not in made
