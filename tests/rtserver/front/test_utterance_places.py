"""An utterance has a place from its opening to its end."""

from __future__ import annotations

import pytest

from rtserver.engine.api import EngineError
from rtserver.front.utterance import FrontUtterance, NotOpened
from rtserver.ipc.engine import Failed, Open, Started
from rtserver.schedule.admission import AdmissionLimits
from tests.rtserver.engine.acoustic.loads import load_of
from tests.rtserver.front.scripted import Scripted, audio, done
from tests.rtserver.metrics.scraped import counted


def scripted(streams: int) -> Scripted:
    """On a machine that is said to carry so many streams that begin together."""
    made = Scripted()
    made.engine.load = load_of(streams)
    return made


def opened(s: Scripted, name: str) -> FrontUtterance:
    return s.open(Open(name, "voice"))


def test_what_does_not_fit_is_refused_until_a_place_is_free() -> None:
    """A cancelled utterance and one that is done give theirs back."""
    s = scripted(2)
    cancelled = opened(s, "a")
    opened(s, "b")
    with pytest.raises(NotOpened, match=r"3.0 of 3.0 places") as refused:
        opened(s, "c")
    assert refused.value.failed.retry_after_s is not None and refused.value.failed.retry_after_s > 0
    cancelled.stop()
    opened(s, "c")
    assert s.admission.demand == 2.0
    s.engine.send(Started("c", "voice", 1))
    s.engine.send(done())
    assert s.admission.demand == 1.0


@pytest.mark.parametrize("error", [EngineError("closed"), ValueError("already open")])
def test_an_engine_that_cannot_open_gives_the_place_back(error: Exception) -> None:
    """A name that is taken and an engine that is closed hold nothing."""
    s = scripted(3)
    s.engine.refuses = error
    with pytest.raises((NotOpened, ValueError), match=str(error)):
        opened(s, "a")
    assert s.admission.live("realtime") == 0


def test_a_reader_that_cannot_open_gives_the_place_back() -> None:
    """What was opened at the engine before is cancelled."""
    s = scripted(3)
    s.reader.refuses = True
    with pytest.raises(NotOpened, match="no reader") as raised:
        opened(s, "a")
    assert raised.value.failed.code == "engine_lost" and s.engine.utterance.told == ["cancel"]
    assert s.admission.live("realtime") == 0 and counted(s.metrics).utterances() == (0, 0, 1)


@pytest.mark.parametrize("end", ["failed", "unreadable"])
def test_what_fails_gives_its_place_back(end: str) -> None:
    """Whether the engine or the reader ends it."""
    s = scripted(3)
    opened(s, "a")
    failed = Failed("a", "internal", "broken")
    if end == "failed":
        s.engine.send(failed)
    else:
        s.reader.answer(failed)
    assert s.admission.live("realtime") == 0


def test_a_stream_that_has_begun_no_longer_waits() -> None:
    """Admission is told of the first sound: until then a newcomer's would come after it, which here is too late."""
    s = Scripted(AdmissionLimits(ttfa_s=0.01))
    s.engine.load = load_of(100)
    opened(s, "a")
    send_to_first = s.engine.send
    with pytest.raises(NotOpened, match="1 others wait"):
        opened(s, "b")
    send_to_first(Started("a", "voice", 1))
    send_to_first(audio(0.1))
    assert isinstance(opened(s, "b"), FrontUtterance)
