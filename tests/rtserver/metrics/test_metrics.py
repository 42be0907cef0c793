"""What is counted of utterances, and how it is written down."""

from __future__ import annotations

import pytest

from rtserver.http.metrics import exposition
from rtserver.ipc.engine import ServiceClass
from rtserver.metrics.metrics import Metrics, Outcome
from tests.rtserver.metrics.scraped import counted

SECONDS = {
    "audio": 4.0, "talker": 0.5, "flow": 1.25, "vocoder": 0.25, "wall": 3.0, "ttfa": 0.4, "text_wait": 0.12,
    "queue": 0.06, "underrun": 0.35, "text_starved": 0.2,
}  # fmt: skip


def test_the_time_of_an_utterance_is_told_by_stage_and_wait() -> None:
    """Each wait is in its histogram, in the bucket it belongs to; the work is in its stage."""
    metrics = Metrics()
    metrics.done("realtime", SECONDS)
    found = counted(metrics)
    for name, seconds in (("text_wait", 0.12), ("queue", 0.06)):
        assert found(f"rt_{name}_seconds_sum", class_="realtime") == seconds
        assert found(f"rt_{name}_seconds_count", class_="realtime") == 1
    assert found("rt_queue_seconds_bucket", class_="realtime", le="0.05") == 0
    assert found("rt_queue_seconds_bucket", class_="realtime", le="0.1") == 1
    assert found("rt_utterance_audio_seconds_sum", class_="realtime") == 4.0
    assert [found("rt_stage_seconds_total", stage=s) for s in ("talker", "flow", "vocoder")] == [0.5, 1.25, 0.25]
    assert found("rt_underruns_total") == 1 and found("rt_underrun_seconds_total") == 0.35
    assert found("rt_text_starved_seconds_total") == 0.2


def test_a_wait_that_was_not_told_is_not_counted() -> None:
    """An utterance that needed no preparation and never sounded counts in none of the waits."""
    metrics = Metrics()
    metrics.done("realtime", {"audio": 0.0, "wall": 0.1})
    found = counted(metrics)
    for name in ("text_wait", "queue", "prepare"):
        assert found(f"rt_{name}_seconds_count", class_="realtime") == 0
    metrics.done("realtime", {"prepare": 1.5})
    assert counted(metrics)("rt_prepare_seconds_sum", class_="realtime") == 1.5


def test_silence_counts_for_realtime_alone() -> None:
    """Nobody listens to batch speech while it is made, so it has no underruns; all else of it is counted."""
    metrics = Metrics()
    metrics.done("batch", SECONDS)
    found = counted(metrics)
    assert found("rt_underruns_total") == found("rt_underrun_seconds_total") == 0
    assert found("rt_text_starved_seconds_total") == 0
    assert found("rt_queue_seconds_sum", class_="batch") == 0.06
    assert found("rt_queue_seconds_count", class_="realtime") == 0


@pytest.mark.parametrize(("underrun_s", "underruns"), [(0.0, 0), (0.0005, 0), (0.002, 1), (2.0, 1)])
def test_an_underrun_is_a_silence_that_can_be_heard(underrun_s: float, underruns: int) -> None:
    """An utterance is one underrun when it was silent for more than a millisecond, however long."""
    metrics = Metrics()
    metrics.done("realtime", {"underrun": underrun_s})
    assert counted(metrics)("rt_underruns_total") == underruns


@pytest.mark.parametrize("service_class", ["realtime", "batch"])
@pytest.mark.parametrize("outcome", ["done", "failed", "cancelled"])
def test_every_utterance_counts_with_its_class_and_end(service_class: ServiceClass, outcome: Outcome) -> None:
    """One that is over counts once, with what it consisted of, whichever way it ended."""
    metrics = Metrics()
    metrics.over(service_class, outcome, audio_s=1.5, text_ids=20, speech_tokens=38)
    found = counted(metrics)
    assert found("rt_utterances_total", class_=service_class, outcome=outcome) == 1
    assert found.summed("rt_utterances_total") == 1
    assert found("rt_audio_seconds_total") == 1.5
    assert (found("rt_text_ids_total"), found("rt_speech_tokens_total")) == (20, 38)


def test_the_first_sound_is_told_by_class() -> None:
    """TTFA has buckets from tens of milliseconds to ten seconds."""
    metrics = Metrics()
    for ttfa_s in (0.04, 0.18, 9.0, 30.0):
        metrics.sounded("realtime", ttfa_s)
    found = counted(metrics)
    by_bound = {
        le: found("rt_ttfa_seconds_bucket", class_="realtime", le=le) for le in ("0.025", "0.05", "0.2", "10.0")
    }
    assert by_bound == {"0.025": 0, "0.05": 1, "0.2": 2, "10.0": 3}
    assert found("rt_ttfa_seconds_count", class_="realtime") == 4
    assert found("rt_ttfa_seconds_count", class_="batch") == 0


def test_refusals_have_the_wires_reasons() -> None:
    """A code that no client knows is counted as what the client is told: internal."""
    metrics = Metrics()
    for code in ("overloaded", "overloaded", "unknown_voice", "no code of the wire"):
        metrics.refused(code)
    assert counted(metrics).refusals() == {"overloaded": 2, "unknown_voice": 1, "internal": 1}


def test_what_has_not_happened_yet_is_zero() -> None:
    """Series that are watched are there from the start, so that a first event is seen as a rise."""
    found = counted(Metrics())
    for service_class in ("realtime", "batch"):
        assert found.utterances(service_class) == (0, 0, 0)
        assert found("rt_ttfa_seconds_count", class_=service_class) == 0
    assert found("rt_refusals_total", reason="overloaded") == 0
    assert found("rt_underruns_total") == 0


def test_two_servers_in_one_process_count_apart() -> None:
    """Nothing is shared between two of them."""
    one, other = Metrics(), Metrics()
    one.refused("overloaded")
    assert counted(one).refusals() == {"overloaded": 1} and counted(other).refusals() == {}


def test_there_is_a_word_on_every_metric_and_no_time_of_its_making() -> None:
    """Each family has its help and type; the library's `_created` series are left out."""
    metrics = Metrics()
    metrics.done("realtime", SECONDS)
    text = exposition(metrics.registry).decode()
    found = counted(metrics)
    assert found.families["rt_ttfa_seconds"].type == "histogram"
    assert found.families["rt_underruns"].type == "counter"
    assert all(f.documentation and f.type != "unknown" for f in found.families.values())
    assert "_created" not in text and len(found.families) == 14
