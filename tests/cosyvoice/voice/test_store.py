"""Voices: names and aliases on both kinds of checkpoint, preparation, the cache on disk, custom voices."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from cosyvoice.config import ModelConfig
from cosyvoice.errors import CheckpointError, VoiceError
from cosyvoice.models import NANO, default_cache_dir
from cosyvoice.voice.prompt import Prompt, PromptEncoder
from cosyvoice.voice.recording import RecordingError, read_wave
from cosyvoice.voice.spk2info import load_spk2info
from cosyvoice.voice.store import VoiceStore
from tests.cosyvoice.uncloning import MODES, without_speaker_encoder

NAMES = ["中文女", "中文男", "英文女", "英文男"]


def store(directory: Path, cache_dir: Path, voices_dir: Path | None = None) -> VoiceStore:
    """The voices of a model directory."""
    return VoiceStore(ModelConfig.load(directory), PromptEncoder(directory), voices_dir, cache_dir)


def custom_voices(directory: Path, entries: Any, seconds: float = 1.0) -> Path:
    """A custom voices directory: `entries` as its voices.json, and one recording, a.wav."""
    directory.mkdir(exist_ok=True)
    (directory / "voices.json").write_text(json.dumps(entries), encoding="utf-8")
    wave = np.random.default_rng(0).normal(0, 0.1, round(24000 * seconds))
    soundfile.write(directory / "a.wav", wave, 24000)
    return directory


def same(one: Prompt, other: Prompt) -> bool:
    """Whether two prompts hold the same."""
    return (
        (one.transcript, one.speech_tokens, one.text_ids, one.added_silence_s)
        == (other.transcript, other.speech_tokens, other.text_ids, other.added_silence_s)
        and torch.equal(one.mel, other.mel)
        and torch.equal(one.speaker, other.speaker)
    )


@pytest.fixture(scope="module", params=["embedded", "clonable"])
def any_store(
    request: pytest.FixtureRequest, clonable_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> VoiceStore:
    """The store of the embedded checkpoint, and of one like the released."""
    return store(NANO if request.param == "embedded" else clonable_dir, tmp_path_factory.mktemp("cache"))


# -- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "language", "name"),
    [
        *[(name, language, name) for name in NAMES for language in (None, "zh", "en")],
        ("zh-female", "en", "中文女"),
        ("zh_male", None, "中文男"),
        ("EN-Female", "zh", "英文女"),
        ("english man", None, "英文男"),
        ("ＥＮ＿ＭＡＬＥ", None, "英文男"),
        ("  Mandarin  Female ", None, "中文女"),
        ("female", None, "中文女"),
        ("male", None, "中文男"),
        ("FEMALE", "zh-CN", "中文女"),
        ("female", "en", "英文女"),
        ("man", "en-GB", "英文男"),
        ("woman", "en_US", "英文女"),
        ("男声", "en", "英文男"),
        ("default", None, "中文女"),
        ("default", "en", "英文女"),
        ("Default", "zh", "中文女"),
        ("male", "fr", "中文男"),
        ("default", "fr", "中文女"),
    ],
)
def test_names_resolve(any_store: VoiceStore, asked: str, language: str | None, name: str) -> None:
    """Names, aliases, female, male and default resolve on every checkpoint, whatever case, width and separators."""
    assert any_store.resolve(asked, language).name == name
    assert any_store.names() == NAMES


@pytest.mark.parametrize(("asked", "close"), [("中文", "中文"), ("femal", "female"), ("zh-femael", "zh-female")])
def test_unknown_name(any_store: VoiceStore, asked: str, close: str) -> None:
    """An unknown voice is refused with all names and the nearest."""
    with pytest.raises(VoiceError, match=f"expected one of .*中文女.*英文男.*found '{asked}'; did you mean '{close}"):
        any_store.resolve(asked)


def test_unknown_name_is_shown_short(any_store: VoiceStore) -> None:
    """A name of any length gives a short message."""
    with pytest.raises(VoiceError, match=r"found 'x{80}\.\.\.'$"):
        any_store.resolve("x" * 1_000_000)


# -- preparation ----------------------------------------------------------------------------------------------------


def test_embedded_prompts_are_the_stored_ones(tmp_path: Path) -> None:
    """The embedded checkpoint speaks with the prompts of its spk2info.pt and writes no cache."""
    voices = store(NANO, tmp_path / "cache")
    stored = load_spk2info(NANO / "spk2info.pt", vocab=2187)
    assert voices.modes == (*MODES, "zero_shot", "cross_lingual")
    for name in NAMES:
        voice = voices.resolve(name)
        prompt = voices.prepare(voice)
        assert len(prompt.speech_tokens) >= 70 and prompt.speech_tokens == stored[name].speech_tokens
        assert prompt.text_ids is not None
        assert prompt.text_ids[0] == 2
        assert prompt.transcript == ""  # the catalogue's is of another recording
        assert float(prompt.speaker.norm()) == pytest.approx(1.0, abs=1e-5)
        assert voices.prepare(voice) is prompt
    assert not (tmp_path / "cache").exists()


def test_shipped_voices_are_prepared_by_a_clonable_checkpoint(clonable_dir: Path, tmp_path: Path) -> None:
    """A checkpoint without spk2info.pt prepares the shipped recordings with its own networks."""
    voices = store(clonable_dir, tmp_path)
    assert voices.modes == ("sft", "zero_shot", "cross_lingual", "instruct", "vc")
    for name in NAMES:
        voice = voices.resolve(name)
        prompt = voices.prepare(voice)
        assert voice.wav is not None
        assert same(prompt, PromptEncoder(clonable_dir).encode(*read_wave(voice.wav), voice.transcript))
        assert prompt.text_ids is None
        assert prompt.transcript


def test_prepared_once_per_checkpoint(clonable_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A prompt comes from the cache at the next start: nothing is encoded again, and it is the same."""
    voice = store(clonable_dir, tmp_path).resolve("英文男")
    prompt = store(clonable_dir, tmp_path).prepare(voice)

    def fail(*_: object) -> None:
        raise AssertionError("encoded again")

    monkeypatch.setattr(PromptEncoder, "encode", fail)
    assert same(store(clonable_dir, tmp_path).prepare(voice), prompt)


@pytest.mark.parametrize("damage", ["empty", "truncated", "other"])
def test_damaged_cache_is_rebuilt(clonable_dir: Path, tmp_path: Path, damage: str) -> None:
    """A damaged cache entry is made again and replaced; no temporary file is left."""
    voice = store(clonable_dir, tmp_path).resolve("英文男")
    prompt = store(clonable_dir, tmp_path).prepare(voice)
    (entry,) = (tmp_path / "voices").iterdir()
    whole = entry.read_bytes()
    entry.write_bytes({"empty": b"", "truncated": whole[:-100], "other": b"x" * 1000}[damage])
    assert same(store(clonable_dir, tmp_path).prepare(voice), prompt)
    assert entry.stat().st_size == len(whole)
    assert list((tmp_path / "voices").iterdir()) == [entry]


def test_cache_keys_follow_networks_and_recording(clonable_dir: Path, tmp_path: Path) -> None:
    """Another speaker network or another recording makes another cache entry."""
    other = tmp_path / "other"
    shutil.copytree(clonable_dir, other)
    (other / "campplus.onnx").write_bytes((clonable_dir / "campplus.onnx").read_bytes() + b"\x32\1x")  # a doc string
    cache = tmp_path / "cache"
    for directory in (clonable_dir, other, clonable_dir):
        store(directory, cache).prepare(store(directory, cache).resolve("英文男"))
    assert len(list((cache / "voices").iterdir())) == 2
    entry = [{"name": "anna", "wav": "a.wav", "transcript": "one"}]
    for seconds in (1.0, 1.5):
        voices = store(clonable_dir, cache, custom_voices(tmp_path / "custom", entry, seconds))
        voices.prepare(voices.resolve("anna"))
    assert len(list((cache / "voices").iterdir())) == 4


def test_cache_that_cannot_be_written(clonable_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Without a writable cache voices are still prepared, with a warning."""
    (tmp_path / "file").touch()
    voices = store(clonable_dir, tmp_path / "file")
    assert len(voices.prepare(voices.resolve("英文男")).speech_tokens) >= 75
    assert "not cached" in caplog.text


def test_default_cache_dir(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache lies under $XDG_CACHE_HOME, else under ~/.cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert default_cache_dir() == Path("/xdg/cosyvoice-rtserver")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/anna")
    assert default_cache_dir() == Path("/home/anna/.cache/cosyvoice-rtserver")


def test_checkpoint_without_networks_or_prompts(clonable_dir: Path, tmp_path: Path) -> None:
    """Without speaker network the shipped voices are refused by name, and no mode is offered."""
    directory = tmp_path / "bare"
    shutil.copytree(clonable_dir, directory)
    (directory / "campplus.onnx").unlink()
    voices = store(directory, tmp_path / "cache")
    assert voices.modes == ()
    with pytest.raises(VoiceError, match=r"voice 中文女: this checkpoint cannot clone voices: .*campplus\.onnx"):
        voices.prepare(voices.resolve("中文女"))


# -- spk2info.pt ----------------------------------------------------------------------------------------------------


def test_stored_voices_of_a_clonable_checkpoint(clonable_dir: Path, tmp_path: Path) -> None:
    """Stored voices come before shipped ones of their name, others are added; a lone embedding has no prompt."""
    directory = tmp_path / "model"
    shutil.copytree(clonable_dir, directory)
    entries = {
        "中文女": {"embedding": torch.ones(1, 192)},
        "mine": torch.load(NANO / "spk2info.pt", weights_only=True)["英文女"],
    }
    torch.save(entries, directory / "spk2info.pt")
    voices = store(directory, tmp_path / "cache")
    assert voices.names() == [*NAMES, "mine"]
    speaker_only = voices.prepare(voices.resolve("female"))
    assert speaker_only.speech_tokens == ()
    assert torch.equal(speaker_only.speaker, torch.ones(192))
    text_ids = tuple(torch.load(NANO / "spk2info.pt", weights_only=True)["英文女"]["prompt_text"][0].tolist())
    assert voices.prepare(voices.resolve("Mine")).text_ids == text_ids
    assert voices.prepare(voices.resolve("中文男")).text_ids is None


# -- custom voices --------------------------------------------------------------------------------------------------


def test_custom_voices_merge_over_the_shipped(clonable_dir: Path, tmp_path: Path) -> None:
    """A custom voice is added, or replaces the shipped or stored one of its name."""
    directory = tmp_path / "model"
    shutil.copytree(clonable_dir, directory)
    torch.save(torch.load(NANO / "spk2info.pt", weights_only=True), directory / "spk2info.pt")
    entries = [
        {"name": "anna", "aliases": ["en-female"], "language": "en-GB", "transcript": "one", "wav": "a.wav"},
        {"name": "英文男", "transcript": "two", "wav": "a.wav"},
    ]
    voices = store(directory, tmp_path / "cache", custom_voices(tmp_path / "custom", entries))
    assert voices.names() == [*NAMES, "anna"]
    assert voices.resolve("en_female").name == "anna"
    assert voices.resolve("anna").language == "en"
    assert voices.prepare(voices.resolve("英文男")).transcript == "two"
    assert len(voices.prepare(voices.resolve("英文男")).speech_tokens) == 28
    stored = load_spk2info(NANO / "spk2info.pt", vocab=2187)["英文女"].speech_tokens
    assert voices.prepare(voices.resolve("英文女")).speech_tokens == stored


def test_custom_voices_need_a_clonable_checkpoint(tmp_path: Path) -> None:
    """One without a speaker encoder refuses custom voices at the start, not when they are first asked for."""
    directory = custom_voices(tmp_path / "custom", [{"name": "anna", "transcript": "one", "wav": "a.wav"}])
    with pytest.raises(VoiceError, match=r"custom: expected a checkpoint that can clone voices, .* without"):
        store(without_speaker_encoder(tmp_path / "model"), tmp_path / "cache", directory)


def test_unknown_default_voice(clonable_dir: Path, tmp_path: Path) -> None:
    """A default voice that does not exist is an error of the checkpoint's serving.json."""
    directory = tmp_path / "model"
    shutil.copytree(clonable_dir, directory)
    (directory / "serving.json").write_text('{"default_voice": "nobody"}', encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"serving\.json: default voice: expected one of .*, found 'nobody'"):
        store(directory, tmp_path / "cache")


# -- users' recordings ----------------------------------------------------------------------------------------------


def test_a_recording_is_prepared_once(clonable_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its prompt is the encoder's, without transcript; it is kept by its digest, for the next start too."""
    voice = store(clonable_dir, tmp_path).resolve("英文男")
    assert voice.wav is not None
    wave, rate_hz = read_wave(voice.wav)
    one = store(clonable_dir, tmp_path)
    assert one.recorded("abc") is None
    prompt = one.prepare_recorded("abc", wave, rate_hz)
    assert same(prompt, PromptEncoder(clonable_dir).encode(wave, rate_hz, ""))

    def fail(*_: object) -> None:
        raise AssertionError("encoded again")

    monkeypatch.setattr(PromptEncoder, "encode", fail)
    later = store(clonable_dir, tmp_path)
    found = later.recorded("abc")
    assert found is not None and same(found, prompt) and later.recorded("abd") is None
    assert same(later.prepare_recorded("abc", wave, rate_hz), prompt)
    with pytest.raises(AssertionError, match="encoded again"):
        later.prepare_recorded("abd", wave, rate_hz)


def test_a_recording_of_other_networks_is_another_one(clonable_dir: Path, tmp_path: Path) -> None:
    """What one speaker network made is not found by a checkpoint with another."""
    other = tmp_path / "other"
    shutil.copytree(clonable_dir, other)
    (other / "campplus.onnx").write_bytes((clonable_dir / "campplus.onnx").read_bytes() + b"\x32\1x")  # a doc string
    noise = np.random.default_rng(0).normal(0, 0.1, 24000).astype(np.float32)
    store(clonable_dir, tmp_path / "cache").prepare_recorded("abc", noise, 24000)
    assert store(clonable_dir, tmp_path / "cache").recorded("abc") is not None
    assert store(other, tmp_path / "cache").recorded("abc") is None


def test_a_bad_recording_is_not_kept(clonable_dir: Path, tmp_path: Path) -> None:
    """Silence is a RecordingError, each time again, and leaves no file."""
    one = store(clonable_dir, tmp_path)
    for _ in range(2):
        with pytest.raises(RecordingError, match="found silence"):
            one.prepare_recorded("abc", np.zeros(24000, np.float32), 24000)
    assert not (tmp_path / "recordings").exists()


def test_the_catalogue_is_told(any_store: VoiceStore) -> None:
    """All voices with what is known of them, in the order of their names."""
    voices = any_store.voices()
    assert [voice.name for voice in voices] == any_store.names()
    assert [(voice.language, voice.gender) for voice in voices] == [
        ("zh", "female"),
        ("zh", "male"),
        ("en", "female"),
        ("en", "male"),
    ]
