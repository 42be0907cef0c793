"""Recordings in the ledger: their samples stay in the front, until they are not needed any more."""

from __future__ import annotations

import hashlib
from typing import Literal

from rtserver.engine.host.ledger import Ledger
from rtserver.engine.host.steps import Step, ToProcess
from rtserver.ipc.engine import Open
from rtserver.ipc.preparing import PreparationKey, Prepare, Prepared, Recording
from tests.rtserver.engine.host.ledgers import RATE, audio, opened, running, to_acoustic

PROMPT = Recording(b"\1\0" * 24000, 24000)
SOURCE = Recording(b"\2\0" * 8000, 16000)


def digest(recording: Recording) -> str:
    return hashlib.sha256(f"{recording.sample_rate} ".encode() + recording.pcm).hexdigest()


def sent_open(steps: list[Step]) -> Open:
    """The one opening that goes to the acoustic process."""
    (step,) = steps
    assert isinstance(step, ToProcess) and step.part == "acoustic" and isinstance(step.message, Open)
    return step.message


def asked(recording: Recording, kind: Literal["source", "recording"] = "source") -> Prepare:
    """What the acoustic process asks for."""
    return Prepare(PreparationKey(kind, digest(recording)), Recording(b"", recording.sample_rate, digest(recording)))


def test_the_acoustic_process_gets_no_samples() -> None:
    """It gets digest, rate and length instead; everything else as the owner asked."""
    request = Open("u", "voice", "vc", prompt_audio=PROMPT, source_audio=SOURCE, prompt_text="one", target_s=2.0)
    steps = running().open(request, 0.0)
    assert sent_open(steps) == Open(
        "u",
        "voice",
        "vc",
        prompt_audio=Recording(b"", 24000, digest(PROMPT), 1.0),
        source_audio=Recording(b"", 16000, digest(SOURCE), 0.5),
        prompt_text="one",
        target_s=2.0,
    )


def test_what_it_asks_for_goes_on_with_samples() -> None:
    """They are found by digest while an utterance has them; a voice of the catalogue needs none."""
    ledger = running()
    assert ledger.with_samples(Prepare(PreparationKey("voice", "anna"))) == Prepare(PreparationKey("voice", "anna"))
    assert ledger.with_samples(asked(SOURCE)) is None
    name = opened(ledger, prompt_audio=PROMPT, source_audio=SOURCE)
    found = ledger.with_samples(asked(SOURCE))
    assert found is not None and found.recording == Recording(SOURCE.pcm, 16000, digest(SOURCE), 0.5)
    ledger.cancel(name)
    assert ledger.with_samples(asked(SOURCE)) is None and not any(ledger.counts.values())


def test_the_samples_of_a_prompt_stay_for_the_next_process() -> None:
    """Its cache may not have kept the prompt: it can ask again."""
    ledger = running()
    opened(ledger, prompt_audio=PROMPT)
    prepared = Prepared(PreparationKey("recording", digest(PROMPT)), prompt=b"packed")
    assert ledger.from_preparer(prepared) == to_acoustic(prepared)
    assert ledger.with_samples(asked(PROMPT, "recording")) is not None
    assert ledger.counts["recording_bytes"] == 48000


def test_a_source_is_kept_as_its_tokens() -> None:
    """All utterances with this source give up its samples; the next process gets the tokens with the opening."""
    ledger = running()
    names = [opened(ledger, name, mode="vc", source_audio=SOURCE) for name in "uv"]
    other = opened(ledger, "w", mode="vc", source_audio=PROMPT)
    assert ledger.counts["recording_bytes"] == 2 * 16000 + 48000
    prepared = Prepared(asked(SOURCE).key, pieces=[[1, 2], [3]])
    assert ledger.from_preparer(prepared) == to_acoustic(prepared)
    assert ledger.counts["recording_bytes"] == 48000 and ledger.with_samples(asked(SOURCE)) is None
    ledger.from_acoustic(audio(names[0], 0, 100, resume=b"record"))
    ledger.down("acoustic", "it broke", 1.0)
    again = {sent_open([step]).utterance: sent_open([step]) for step in ledger.acoustic_up(RATE)}
    assert [again[name].source_pieces for name in names] == [[[1, 2], [3]]] * 2
    assert again[names[0]].resume == b"record" and again[other].source_pieces is None
    assert again[other].source_audio == PROMPT.without_samples()


def test_one_recording_may_be_voice_and_source() -> None:
    """When its tokens are there its samples may still be needed for the prompt."""
    ledger = running()
    opened(ledger, mode="vc", prompt_audio=SOURCE, source_audio=SOURCE)
    assert ledger.counts["recording_bytes"] == 16000
    ledger.from_preparer(Prepared(asked(SOURCE).key, pieces=[[1]]))
    assert ledger.with_samples(asked(SOURCE, "recording")) is not None


def test_an_error_is_passed_on() -> None:
    """The acoustic process tells the owners; while it is away, nobody is told: the next one asks again."""
    ledger = running()
    opened(ledger, mode="vc", source_audio=SOURCE)
    prepared = Prepared(asked(SOURCE).key, "bad_audio", "silence")
    assert ledger.from_preparer(prepared) == to_acoustic(prepared)
    ledger.down("acoustic", "it broke", 1.0)
    assert ledger.from_preparer(prepared) == []
    assert Ledger(30.0).from_preparer(prepared) == []


def test_a_name_given_elsewhere_is_taken() -> None:
    """A recording that was named before, off the event loop, is not named again."""
    named = Recording(SOURCE.pcm, 16000).named()
    assert named.named() is named and (named.digest, named.seconds) == (digest(SOURCE), 0.5)
    assert named.without_samples() == Recording(b"", 16000, digest(SOURCE), 0.5)
    assert Recording(SOURCE.pcm, 24000).named().digest != named.digest
