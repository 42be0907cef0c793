"""What a request speaks with: checks, what must be prepared first, and what is kept in memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.model.random_checkpoint import SMALL, write_checkpoint
from cosyvoice.errors import VoiceError
from cosyvoice.models import NANO
from cosyvoice.voice.modes import ModeError, ModeInputError
from cosyvoice.voice.prompt_cache import pack_prompt
from cosyvoice.voice.recording import RecordingError, read_wave
from cosyvoice.voice.store import SHIPPED_VOICES
from rtserver.engine.acoustic import voices as module
from rtserver.engine.acoustic.models import AcousticModels
from rtserver.engine.acoustic.voices import Voices, mode_of
from rtserver.ipc.engine import Open, VoiceInfo
from rtserver.ipc.preparing import PreparationKey, Prepare, Prepared, Recording
from tests.cosyvoice.uncloning import without_speaker_encoder


def recording(seed: int = 0, seconds: float = 2.0, rate: int = 16000) -> Recording:
    """Noise, as the acoustic process knows it."""
    noise = np.random.default_rng(seed).normal(0, 3000, round(seconds * rate))
    return Recording(noise.astype("<i2").tobytes(), rate).without_samples()


PROMPT, SOURCE = recording(1), recording(2, 10.0)


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> AcousticModels:
    """A checkpoint that can do everything, with random weights."""
    directory = tmp_path_factory.mktemp("released")
    write_checkpoint(directory, SMALL)
    return AcousticModels(directory, kv_bytes=64 << 20, cache_dir=directory / "cache")


@pytest.fixture(scope="module")
def nano(tmp_path_factory: pytest.TempPathFactory) -> Voices:
    return AcousticModels(NANO, kv_bytes=64 << 20, cache_dir=tmp_path_factory.mktemp("cache")).voices


@pytest.fixture(scope="module")
def uncloning(tmp_path_factory: pytest.TempPathFactory) -> Voices:
    """Of a checkpoint without a speaker encoder."""
    directory = tmp_path_factory.mktemp("uncloning")
    model = without_speaker_encoder(directory / "model")
    return AcousticModels(model, kv_bytes=64 << 20, cache_dir=directory / "cache").voices


@pytest.fixture
def voices(released: AcousticModels) -> Voices:
    """With nothing in memory."""
    return Voices(released.config, released.tokenizer, released.voices.store, released.flow)


def prepared(voices: Voices, one: Recording) -> Prepared:
    """What the preparer answers for a recording, without leaving anything in the cache."""
    noise = np.random.default_rng(len(one.digest)).normal(0, 0.1, 48000).astype(np.float32)
    return Prepared(
        PreparationKey("recording", one.digest), prompt=pack_prompt(voices.store.encoder.encode(noise, 24000, ""))
    )


@pytest.mark.parametrize(
    ("mode", "prompt_text", "prompted", "expected"),
    [
        ("sft", "", False, "sft"),
        ("sft", "hello", False, "sft"),
        ("sft", "hello", True, "zero_shot"),
        ("sft", " ", True, "cross_lingual"),
        ("cross_lingual", "hello", True, "cross_lingual"),
        ("vc", "", True, "vc"),
    ],
)
def test_sft_with_a_recording_speaks_like_it(mode: str, prompt_text: str, prompted: bool, expected: str) -> None:
    """With what it says as zero_shot, else as cross_lingual; other modes stay what they are."""
    request = Open("u", "anna", mode, prompt_text=prompt_text, prompt_audio=PROMPT if prompted else None)
    assert mode_of(request) == expected


GOOD = Open("u", "英文女")


@pytest.mark.model
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"mode": "zero_shot"},
        {"mode": "zero_shot", "prompt_audio": PROMPT, "prompt_text": "hello"},
        {"mode": "cross_lingual", "prompt_audio": PROMPT},
        {"mode": "instruct", "instruct_text": "Shout.", "prompt_audio": PROMPT},
        {"prompt_audio": PROMPT},
        {"mode": "vc", "source_audio": recording(0, 299.0), "streaming": True, "target_s": 3.0},
        {"mode": "vc", "source_audio": SOURCE, "prompt_audio": PROMPT},
        {"target_s": 3.0},
    ],
)
def test_what_a_checkpoint_can_do_is_fine(voices: Voices, change: dict[str, object]) -> None:
    """Nothing is raised."""
    voices.check(replace(GOOD, **change))  # type: ignore[arg-type]


@pytest.mark.model
@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"mode": "sing"}, ModeError, "found 'sing'"),
        ({"mode": "vc"}, ModeInputError, "mode vc: expected source_audio with mode vc and no other, found none"),
        ({"source_audio": SOURCE}, ModeInputError, "mode sft: .* found one"),
        ({"mode": "instruct"}, ModeInputError, "mode instruct: expected an instruction"),
        ({"instruct_text": "Shout."}, ModeInputError, "mode sft: expected no instruction"),
        ({"mode": "zero_shot", "prompt_audio": PROMPT}, ModeInputError, "expected prompt_text"),
        ({"prompt_audio": recording(1, 0.4)}, RecordingError, r"prompt_audio: expected 0\.5 to 30 s"),
        ({"prompt_audio": recording(1, 31.0)}, RecordingError, "found 31.00 s"),
        ({"prompt_audio": Recording(b"", 8000, "d", 3.0)}, RecordingError, "prompt_audio: .* found 8000 Hz"),
        ({"mode": "vc", "source_audio": recording(1, 301.0)}, RecordingError, r"source_audio: .* found 301"),
        (
            {"mode": "vc", "source_audio": Recording(b"", 96000, "d", 299.0)},
            RecordingError,
            "source_audio: expected at most 30000000 bytes of samples, found 57408000",
        ),
        ({"target_s": 3.0, "streaming": True}, ValueError, "target_s: expected a whole text"),
        ({"target_s": 0.0}, ValueError, "target_s: expected a length"),
        ({"speed": 2.5}, ValueError, "speed of 0.5 to 2.0, found 2.5"),
    ],
)
def test_what_cannot_be_is_refused_at_once(
    voices: Voices, change: dict[str, object], kind: type[Exception], message: str
) -> None:
    """Before anything is prepared, with the field or the mode in the message."""
    with pytest.raises(kind, match=message):
        voices.check(replace(GOOD, **change))  # type: ignore[arg-type]


@pytest.mark.model
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mode": "cross_lingual"}, r"mode cross_lingual: .* \['sft', 'vc', 'instruct'\]"),
        ({"prompt_audio": PROMPT}, r"prompt_audio: .* clone voices, found nano, .* \['sft', 'vc', 'instruct'\]"),
        ({"prompt_audio": PROMPT, "mode": "vc", "source_audio": SOURCE}, r"clone voices, found nano"),
    ],
)
def test_a_checkpoint_that_cannot_clone_refuses_to(uncloning: Voices, change: dict[str, object], message: str) -> None:
    """By name, with what it can."""
    with pytest.raises(ModeError, match=message):
        uncloning.check(replace(GOOD, **change))  # type: ignore[arg-type]


@pytest.mark.model
def test_the_catalogue_is_told(nano: Voices) -> None:
    """Names, aliases, language and gender."""
    info = nano.infos()[2]
    assert isinstance(info, VoiceInfo) and (info.name, info.language, info.gender) == ("英文女", "en", "female")
    assert "en-female" in info.aliases and len(nano.infos()) == 4


@pytest.mark.model
def test_what_is_missing(voices: Voices, nano: Voices) -> None:
    """A voice that is not in the cache, a recording, a source without tokens; nothing of what is there."""
    assert voices.missing(replace(GOOD, voice="en-male")) == [Prepare(PreparationKey("voice", "英文男"))]
    request = Open("u", "", "vc", prompt_audio=PROMPT, source_audio=SOURCE)
    assert voices.missing(request) == [
        Prepare(PreparationKey("recording", PROMPT.digest), PROMPT),
        Prepare(PreparationKey("source", SOURCE.digest), SOURCE),
    ]
    voices.adopt(prepared(voices, PROMPT))
    assert voices.missing(replace(request, source_pieces=[[1]])) == []
    assert nano.missing(GOOD) == []
    with pytest.raises(VoiceError, match="nobody"):
        voices.missing(replace(GOOD, voice="nobody"))


@pytest.mark.model
def test_a_recording_on_disk_is_not_missing(voices: Voices) -> None:
    """It was prepared before, by another process."""
    one = recording(7)
    assert voices.missing(replace(GOOD, prompt_audio=one)) != []
    noise = np.random.default_rng(7).normal(0, 0.1, 48000).astype(np.float32)
    voices.store.prepare_recorded(one.digest, noise, 24000)
    assert voices.missing(replace(GOOD, prompt_audio=one)) == []


@pytest.mark.model
def test_all_modes_of_a_recording_share_what_the_flow_computes(voices: Voices) -> None:
    """Each request speaks with its own transcript and instruction, all with one flow prompt."""
    voices.adopt(prepared(voices, PROMPT))
    request = replace(GOOD, prompt_audio=PROMPT)
    one = voices.voice(replace(request, prompt_text="hello"))
    other = voices.voice(replace(request, prompt_text="good bye"))
    assert one.name == "recording" and len(one.talker.speech) >= 50
    assert one.talker.transcript != other.talker.transcript and one.talker.speech == other.talker.speech
    assert one.streaming_talker == one.talker
    crossed = voices.voice(request)
    shouted = voices.voice(replace(request, mode="instruct", instruct_text="Shout."))
    assert crossed.talker.speech == shouted.talker.speech == () and crossed.talker.head != shouted.talker.head
    converted = voices.voice(replace(request, mode="vc", source_audio=SOURCE, source_pieces=[[1]]))
    assert converted.conditioning.talker is None
    assert len({id(v.flow) for v in (one, other, crossed, shouted, converted)}) == 1


@pytest.mark.model
def test_a_prompt_that_leaves_no_room_is_refused(voices: Voices) -> None:
    """The talker holds so many ids: instruction, transcript and speech of a prompt are bounded together."""
    voices.adopt(prepared(voices, PROMPT))
    with pytest.raises(ModeInputError, match="of at most 1280 ids, found"):
        voices.voice(replace(GOOD, prompt_audio=PROMPT, prompt_text="a" * 1300))


@pytest.mark.model
def test_only_the_last_recordings_stay_in_memory(voices: Voices, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that was not used for longest goes; a voice that speaks is no worse for it."""
    monkeypatch.setattr(module, "MAX_RECORDED", 2)
    first, second, third = (recording(seed) for seed in (11, 12, 13))
    for one in (first, second):
        voices.adopt(prepared(voices, one))
    speaking = voices.voice(replace(GOOD, prompt_audio=first))  # used last
    voices.adopt(prepared(voices, third))
    there = [voices.missing(replace(GOOD, prompt_audio=one)) == [] for one in (first, second, third)]
    assert there == [True, False, True]
    assert voices.voice(replace(GOOD, prompt_audio=first)).flow is speaking.flow
    with pytest.raises(VoiceError, match="expected a prepared recording"):
        voices.voice(replace(GOOD, prompt_audio=second))


@pytest.mark.model
def test_what_is_no_prompt_is_not_adopted(voices: Voices) -> None:
    """It is a ValueError; an answer without a prompt is none of its business."""
    with pytest.raises(ValueError, match="expected a packed prompt"):
        voices.adopt(Prepared(PreparationKey("recording", "x"), prompt=b"nonsense"))
    voices.adopt(Prepared(PreparationKey("source", "x"), pieces=[[1]]))


@pytest.mark.model
def test_a_stored_voice_has_the_gain_that_was_measured(nano: Voices) -> None:
    """From its loudness in serving.json to the checkpoint's, in any mode."""
    for name, gain_db in (("中文女", -7.1), ("英文女", 3.0)):
        for change in ({}, {"mode": "instruct", "instruct_text": "Speak slowly."}):
            voice = nano.voice(replace(GOOD, voice=name, **change))  # type: ignore[arg-type]
            assert voice.gain_db == pytest.approx(gain_db)


@pytest.mark.model
def test_the_gain_of_a_clone_is_estimated(nano: Voices) -> None:
    """A shipped recording as a clone gets within 2 dB the gain of the stored voice that it is of, however quiet the
    recording is."""
    for name, file, factor in (("中文女", "zh_female.wav", 1.0), ("英文女", "en_female.wav", 0.25)):
        wave, rate_hz = read_wave(SHIPPED_VOICES / file)
        prompt = nano.store.encoder.encode(wave * np.float32(factor), rate_hz, "")
        nano.adopt(Prepared(PreparationKey("recording", PROMPT.digest), prompt=pack_prompt(prompt)))
        stored, clone = nano.voice(replace(GOOD, voice=name)), nano.voice(replace(GOOD, prompt_audio=PROMPT))
        assert stored.gain_db is not None and clone.gain_db is not None
        assert abs(clone.gain_db - stored.gain_db) < 2.0


@pytest.mark.model
def test_without_a_loudness_in_serving_json_no_voice_has_a_gain(voices: Voices) -> None:
    """The released checkpoint's samples stay the original's."""
    voices.adopt(prepared(voices, PROMPT))
    assert voices.voice(replace(GOOD, prompt_audio=PROMPT)).gain_db is None
