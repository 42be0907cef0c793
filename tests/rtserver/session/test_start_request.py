"""What a `start` asks of the engine, and each reason to refuse one."""

from __future__ import annotations

from typing import Any

import pytest

from rtserver.ipc import engine
from rtserver.ipc.preparing import Recording
from rtserver.messages import wire
from rtserver.session.caller import Caller
from rtserver.session.limits import SessionLimits
from rtserver.session.start_request import (
    NO_RECORDINGS,
    Recordings,
    RequestError,
    check_name,
    check_text,
    engine_request,
    lexicon_of,
    sound_format,
)
from rtserver.session.voice_names import VoiceNames
from tests.rtserver.session.sessions import error_of, new_session

LIMITS = SessionLimits(instruct_chars=10)
CALLER = Caller(tenant="t", limits=LIMITS, reservation="r")


def request(recordings: Recordings = NO_RECORDINGS, **fields: Any) -> engine.Open:
    start = wire.Start(**fields)
    sound_format(start, 24000)
    return engine_request(
        start,
        "u_1",
        modes=("sft", "instruct2", "vc"),
        languages=("en", "zh"),
        voice_names=VoiceNames(["Anna"], {"alloy": "Anna"}),
        caller=CALLER,
        new_seed=lambda: 99,
        recordings=recordings,
    )


@pytest.mark.parametrize(("asked", "found"), [("alloy", "Anna"), ("anna", "anna"), ("nova", "female"), ("x", "x")])
def test_the_voice_is_found_by_all_its_names(asked: str, found: str) -> None:
    """An alias of the settings, an own voice, a voice of another service; an unknown name goes to the engine."""
    assert request(voice=asked).voice == found


def test_a_plain_start_asks_for_the_defaults() -> None:
    """A drawn seed, five seconds of lead, speech that begins before the text is complete."""
    assert request() == engine.Open(
        utterance="u_1",
        voice="default",
        mode="sft",
        language=None,
        seed=99,
        speed=1.0,
        streaming=True,
        instruct_text="",
        service_class="realtime",
        max_lead_s=5.0,
        tenant="t",
        reservation="r",
    )


def test_what_was_asked_for_is_passed_on() -> None:
    """Voice, mode, language, seed, speed, class, lead and instruction are the client's."""
    found = request(
        voice="英文女",
        mode="instruct2",
        language="zh",
        seed=0,
        speed=2.0,
        instruct_text="gently",
        class_="batch",
        max_lead_s=3600.0,
        sample_rate=24000,
        text="hi",
        end=True,
    )
    assert found == engine.Open(
        utterance="u_1",
        voice="英文女",
        mode="instruct2",
        language="zh",
        seed=0,
        speed=2.0,
        streaming=False,
        instruct_text="gently",
        service_class="batch",
        max_lead_s=3600.0,
        tenant="t",
        reservation="r",
    )


@pytest.mark.parametrize(("text", "end", "streaming"), [("", True, True), ("hi", False, True), ("hi", True, False)])
def test_only_a_text_that_is_complete_is_spoken_as_a_whole(text: str, end: bool, streaming: bool) -> None:
    """Without its end, or without text, it streams."""
    assert request(text=text, end=end).streaming is streaming


@pytest.mark.parametrize(
    ("language", "text", "found"),
    [
        ("auto", "", None),
        ("auto", " \n", None),
        ("auto", "hello", "en"),
        ("auto", "你好", "zh"),
        ("auto", "42", "en"),
        ("en", "你好", "en"),
        ("zh", "", "zh"),
    ],
)
def test_the_language_is_the_one_given_or_that_of_the_text(language: str, text: str, found: str | None) -> None:
    """`auto` looks at the text that came with the start; without one the engine's default voice speaks."""
    assert request(language=language, text=text).language == found


@pytest.mark.parametrize(
    ("class_", "max_lead_s", "found"),
    [("realtime", None, 5.0), ("batch", None, None), ("realtime", 0.5, 0.5), ("batch", 3600.0, 3600.0)],
)
def test_batch_work_is_not_paced_unless_asked(class_: str, max_lead_s: float | None, found: float | None) -> None:
    """Realtime has a lead of five seconds, batch none; what is given holds for both, the bounds included."""
    assert request(class_=class_, max_lead_s=max_lead_s).max_lead_s == found


@pytest.mark.parametrize("seed", [0, 1, (1 << 32) - 1])
def test_a_seed_that_is_given_is_not_drawn(seed: int) -> None:
    """0 is a seed like any other."""
    assert request(seed=seed).seed == seed


def test_texts_as_long_as_the_limit_are_taken() -> None:
    """The bounds of instruction, prompt text, voice and speed are themselves allowed."""
    found = request(instruct_text="x" * 10, prompt_text="x" * 10, voice="v" * 10, speed=0.5)
    assert (found.instruct_text, found.voice, found.speed) == ("x" * 10, "v" * 10, 0.5)


NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("fields", "code", "message"),
    [
        ({"mode": "opera"}, "unknown_mode", "mode: expected one of sft, instruct2, vc, found 'opera'"),
        ({"mode": ""}, "unknown_mode", "mode: expected one of sft, instruct2, vc, found ''"),
        ({"mode": "vc"}, "bad_message", "mode vc: expected source_audio, found none"),
        ({"language": "fr"}, "bad_message", "language: expected one of auto, en, zh, found 'fr'"),
        ({"language": ""}, "bad_message", "language: expected one of auto, en, zh, found ''"),
        (
            {"format": "aiff"},
            "unsupported_format",
            "format: expected one of aac, alaw, flac, mp3, ogg_opus, opus, pcm_f32le, pcm_s16le, ulaw, wav, "
            "found 'aiff'",
        ),
        (
            {"sample_rate": 1 << 20000},
            "unsupported_format",
            "sample_rate: expected 8000 to 48000 for pcm_s16le, found one of 20001 bits",
        ),
        ({"sample_rate": 7999}, "unsupported_format", "sample_rate: expected 8000 to 48000 for pcm_s16le, found 7999"),
        (
            {"format": "opus", "sample_rate": 22050},
            "unsupported_format",
            "sample_rate: expected 8000, 12000, 16000, 24000 or 48000 for opus, found 22050",
        ),
        ({"target_s": 0.05}, "bad_message", "target_s: expected 0.1 to 3600.0, found 0.05"),
        ({"target_s": NAN}, "bad_message", "target_s: expected 0.1 to 3600.0, found nan"),
        (
            {"target_s": 2.0},
            "bad_message",
            "target_s: expected the whole text with the start (text and end), found none",
        ),
        ({"speed": 0.49}, "bad_message", "speed: expected 0.5 to 2.0, found 0.49"),
        ({"speed": 2.01}, "bad_message", "speed: expected 0.5 to 2.0, found 2.01"),
        ({"speed": NAN}, "bad_message", "speed: expected 0.5 to 2.0, found nan"),
        ({"speed": -INFINITE}, "bad_message", "speed: expected 0.5 to 2.0, found -inf"),
        ({"seed": -1}, "bad_message", "seed: expected 0 to 4294967295, found -1"),
        ({"seed": 1 << 32}, "bad_message", "seed: expected 0 to 4294967295, found 4294967296"),
        ({"seed": 1 << 20000}, "bad_message", "seed: expected 0 to 4294967295, found one of 20001 bits"),
        ({"max_lead_s": 0.4}, "bad_message", "max_lead_s: expected 0.5 to 3600.0, found 0.4"),
        ({"max_lead_s": 3601.0}, "bad_message", "max_lead_s: expected 0.5 to 3600.0, found 3601.0"),
        ({"max_lead_s": NAN}, "bad_message", "max_lead_s: expected 0.5 to 3600.0, found nan"),
        ({"max_lead_s": INFINITE}, "bad_message", "max_lead_s: expected 0.5 to 3600.0, found inf"),
        ({"class_": "batch", "max_lead_s": -1.0}, "bad_message", "max_lead_s: expected 0.5 to 3600.0, found -1.0"),
        ({"voice": "x\n"}, "bad_message", r"voice: expected 0 to 128 printable characters, found 'x\n'"),
        ({"voice": "x" * 129}, "bad_message", f"voice: expected 0 to 128 printable characters, found '{'x' * 59}"),
        ({"instruct_text": "x" * 11}, "bad_message", "instruct_text: expected at most 10 characters, found 11"),
        ({"prompt_text": "x" * 11}, "bad_message", "prompt_text: expected at most 10 characters, found 11"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_each_refusal_says_what_was_expected(fields: dict[str, Any], code: str, message: str) -> None:
    """Its code is the wire's; its message names the field, what is possible and what was found."""
    with pytest.raises(RequestError) as refused:
        request(**fields)
    assert refused.value.code == code and str(refused.value) == message


@pytest.mark.parametrize(
    "field", ["context", "mode", "language", "format", "voice", "instruct_text", "prompt_text", "text"]
)
@pytest.mark.parametrize("bad", ["\ud800", "\0"], ids=ascii)
def test_no_string_has_a_character_that_is_none(field: str, bad: str) -> None:
    """Half a surrogate pair cannot be sent to a process; the refusal can be sent back."""
    session = new_session()
    fields: dict[str, Any] = {"context": "a", field: f"x{bad}"}
    error = error_of(session.receive(wire.Start(**fields), 0.0))
    assert error.code in ("bad_message", "unknown_mode", "unsupported_format") and error.message.startswith(field)
    assert wire.SERVER.to_json(error) and len(session.contexts) == 0


def test_opus_is_refused_where_there_is_none() -> None:
    """With the reason; other formats are given."""
    with pytest.raises(RequestError, match="format: no libopus") as refused:
        sound_format(wire.Start(format="opus"), 24000, "no libopus")
    assert refused.value.code == "unsupported_format"
    assert sound_format(wire.Start(format="ulaw"), 24000, "no libopus").sample_rate == 8000


SOURCE = Recordings(source=Recording(b"\0\0", 16000))


def test_conversion_takes_a_recording_and_no_text() -> None:
    """Mode vc alone takes source_audio, says it again as a whole, and has a length like a whole text."""
    found = request(SOURCE, mode="vc", target_s=2.0)
    assert found.source_audio == SOURCE.source and not found.streaming and found.target_s == 2.0
    with pytest.raises(RequestError, match="expected no text, found some"):
        request(SOURCE, mode="vc", text="hi")
    with pytest.raises(RequestError, match="expected it with mode vc alone, found mode sft"):
        request(SOURCE)


@pytest.mark.parametrize("field", ["mode", "language"])
def test_a_long_value_is_not_sent_back_whole(field: str) -> None:
    """A refusal quotes the beginning of what it found."""
    with pytest.raises(RequestError) as refused:
        request(NO_RECORDINGS, **{field: "x" * 5000})
    assert str(refused.value).endswith("found '" + "x" * 39)


@pytest.mark.parametrize("name", ["x", "x" * 128, "my context", "名字", "\N{GRINNING FACE}"])
def test_a_name_of_printable_characters_is_good(name: str) -> None:
    """1 to 128 characters, of any script."""
    check_name("context", name)
    check_name("id", name, empty=True)


@pytest.mark.parametrize("name", ["x" * 129, "a\nb", "\0", "\x7f", "\ud83d", "\u200b"])
def test_a_long_or_unprintable_name_is_refused(name: str) -> None:
    """The message quotes it in printable form, and no more than its beginning."""
    with pytest.raises(RequestError) as refused:
        check_name("context", name)
    assert refused.value.code == "bad_message"
    assert str(refused.value) == f"context: expected 1 to 128 printable characters, found {ascii(name)[:60]}"


def test_only_ids_may_be_empty() -> None:
    """A name must have a character; an id need not, and its refusal says so."""
    check_name("id", "", empty=True)
    with pytest.raises(RequestError, match="context: expected 1 to 128 printable characters, found ''"):
        check_name("context", "")
    with pytest.raises(RequestError, match="id: expected 0 to 128 printable characters"):
        check_name("id", "x" * 129, empty=True)


@pytest.mark.parametrize(
    "text", ["", "hello\n\tyou\r\n", "你好\N{GRINNING FACE}", "\u202e\u200b", "\ud7ff\ue000\ufffe"]
)
def test_any_real_text_is_good(text: str) -> None:
    """Tabs and ends of lines, characters that only format, and the neighbours of surrogates."""
    check_text("text", text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("\0", r"'\x00' at 0"),
        ("ab\0", r"'\x00' at 2"),
        ("ab\n\x07", r"'\x07' at 3"),
        ("\x1b[2J", r"'\x1b' at 0"),
        ("\x7f", r"'\x7f' at 0"),
        ("a\x9b2J", r"'\x9b' at 1"),
        ("a\ud800", r"'\ud800' at 1"),
        ("a\udfffb", r"'\udfff' at 1"),
        ("\ud83d\ude00", r"'\ud83d' at 0"),
    ],
    ids=ascii,
)
def test_text_that_speech_cannot_use_is_refused(text: str, found: str) -> None:
    """Control characters and halves of surrogate pairs: the message says which, and where the first stands."""
    with pytest.raises(RequestError) as refused:
        check_text("instruct_text", text)
    assert refused.value.code == "bad_message"
    assert str(refused.value) == f"instruct_text: expected characters of text, found {found}"


def test_a_lexicon_is_checked_entry_by_entry() -> None:
    """Its number, each entry, and the characters of its strings."""
    assert lexicon_of(None, LIMITS) == []
    (entry,) = lexicon_of([{"word": "SQL", "say": "sequel"}], LIMITS)
    assert (entry.word, entry.say) == ("SQL", "sequel")
    good = {"word": "a", "say": "b"}
    for lexicon, message in (
        ([good] * 201, "lexicon: expected at most 200 entries, found 201"),
        ([good, {"word": "a"}], "lexicon[1]: expected one of say, cmu, pinyin, found none"),
        ([good, {"word": "a", "say": "b\x00"}], "lexicon[1].say: expected characters of text"),
    ):
        with pytest.raises(RequestError) as refused:
            lexicon_of(lexicon, LIMITS)
        assert refused.value.code == "bad_message"
        assert message in str(refused.value)
