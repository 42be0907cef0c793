"""Utterances that wait for what is being prepared."""

from __future__ import annotations

from rtserver.engine.acoustic.unprepared import Unprepared
from rtserver.ipc.engine import End, Flush, Open
from rtserver.ipc.preparing import PreparationKey, Prepare, Prepared

VOICE = Prepare(PreparationKey("voice", "anna"))
PROMPT = Prepare(PreparationKey("recording", "abc"))
SOURCE = Prepare(PreparationKey("source", "abc"))


def waiting(*wanted: tuple[str, list[Prepare]]) -> Unprepared:
    made = Unprepared()
    for at_s, (name, missing) in enumerate(wanted):
        made.add(Open(name, "anna"), missing, float(at_s))
    return made


def test_everything_is_asked_for_once() -> None:
    """What another utterance waits for already is not asked for again."""
    made = Unprepared()
    assert made.add(Open("u", "anna"), [VOICE, SOURCE], 0.0) == [VOICE, SOURCE]
    assert made.add(Open("v", "anna"), [VOICE, PROMPT], 1.0) == [PROMPT]
    assert len(made) == 2 and "u" in made and "w" not in made


def test_what_has_all_goes_on_in_order() -> None:
    """An utterance waits for the last of what it misses; those that wait for the same go on in their order."""
    made = waiting(("u", [VOICE, SOURCE]), ("v", [VOICE]), ("w", [VOICE]), ("x", [PROMPT]))
    assert [w.request.utterance for w in made.prepared(Prepared(VOICE.key))] == ["v", "w"]
    assert [w.request.utterance for w in made.prepared(Prepared(SOURCE.key, pieces=[[1]]))] == ["u"]
    assert made.prepared(Prepared(VOICE.key)) == [] and len(made) == 1


def test_what_was_said_meanwhile_is_kept_with_its_times() -> None:
    """The opening's time too."""
    made = waiting(("u", [PROMPT]), ("v", [PROMPT]))
    made.say("v", Flush("v", "1"), 3.0)
    made.say("v", End("v"), 4.5)
    u, v = made.prepared(Prepared(PROMPT.key, prompt=b"x"))
    assert (u.said, u.since_s) == ([], 0.0)
    assert (v.said, v.since_s) == ([(3.0, Flush("v", "1")), (4.5, End("v"))], 1.0)


def test_a_source_comes_with_its_tokens() -> None:
    """The request goes on with them, whatever it waits for besides."""
    made = waiting(("u", [SOURCE, PROMPT]))
    assert made.prepared(Prepared(SOURCE.key, pieces=[[1, 2], [3]])) == []
    (u,) = made.prepared(Prepared(PROMPT.key, prompt=b"x"))
    assert u.request == Open("u", "anna", source_pieces=[[1, 2], [3]])


def test_an_error_ends_the_waiting_of_all_who_wanted_it() -> None:
    """The others go on waiting; what they wait for is wanted as before."""
    made = waiting(("u", [SOURCE, PROMPT]), ("v", [PROMPT]), ("w", [SOURCE]))
    u, v = made.prepared(Prepared(PROMPT.key, "bad_audio", "silence"))
    assert (u.request.utterance, v.request.utterance) == ("u", "v") and len(made) == 1
    assert made.unwanted(u) == [] and made.drop("w") == [SOURCE.key]


def test_a_recording_that_nobody_waits_for_is_unwanted() -> None:
    """The last one who drops it gives it up; voices of the catalogue are of use to others and go on. To drop a stranger
    does nothing."""
    made = waiting(("u", [VOICE, PROMPT, SOURCE]), ("v", [SOURCE]))
    assert made.drop("stranger") == [] and made.drop("u") == [PROMPT.key] and made.drop("v") == [SOURCE.key]
    assert len(made) == 0 and made.drop("v") == []
