"""Styles of the embedded voice: what is done to the sound, which rows there are, what the trainings make of them."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cosyvoice.checkpoint import load_talker_state
from cosyvoice.config import ModelConfig
from cosyvoice.frontend.tokenizer import Tokenizer
from cosyvoice.models import NANO
from cosyvoice.nano import export
from cosyvoice.nano.aligner.alignment import Alignments
from cosyvoice.nano.corpus import styles
from cosyvoice.nano.corpus.manner import MANNERS, Manner, style_tag
from cosyvoice.nano.corpus.rows import Utterance, read_index
from cosyvoice.nano.corpus.stage import Corpus
from cosyvoice.nano.corpus.teachers import SAMPLE_RATE, Wave
from cosyvoice.nano.data import codes, features
from cosyvoice.nano.data.corpus_codes import SpokenCorpus
from cosyvoice.nano.data.store import FeatureStore
from cosyvoice.nano.flow.training import FlowSettings, FlowTraining
from cosyvoice.nano.talker.training import TalkerSettings, TalkerTraining
from cosyvoice.serving_config import SERVING_FILE
from tests.cosyvoice.nano.corpora import speak, utterance

pyworld = pytest.importorskip("pyworld")


def voiced(seconds: float = 1.2) -> Wave:
    """A buzz with formants at 200 Hz that rises and falls by two semitones."""
    at = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    hz = 200 * 2 ** (np.sin(2 * np.pi * 2 * at) / 6)
    phase = 2 * np.pi * np.cumsum(hz) / SAMPLE_RATE
    return np.asarray(0.1 * sum(np.sin(n * phase) / n for n in range(1, 30)), np.float32)


def measured(wave: Wave) -> dict[str, float]:
    """seconds; level in dB; median f0 and its spread in semitones; level above 2 kHz against below 1 kHz in dB."""
    sound = wave.astype(np.float64)
    f0, times = pyworld.dio(sound, SAMPLE_RATE)
    f0 = pyworld.stonemask(sound, f0, times, SAMPLE_RATE)
    pitch = 12 * np.log2(f0[f0 > 0])
    power, hz = np.abs(np.fft.rfft(sound)) ** 2, np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE)
    return {
        "seconds": len(sound) / SAMPLE_RATE,
        "level": 10 * np.log10(np.mean(sound**2)),
        "pitch": float(np.median(pitch)),
        "spread": float(pitch.std()),
        "tilt": 10 * np.log10(power[hz > 2000].sum() / power[hz < 1000].sum()),
    }


@pytest.mark.parametrize("style", MANNERS)
def test_a_manner_does_what_it_says(style: str) -> None:
    """Length, level, pitch, its spread and the spectrum's tilt change as the manner has them."""
    manner, wave = MANNERS[style], voiced()
    plain, made = measured(wave), measured(manner(wave))
    assert made["seconds"] == pytest.approx(plain["seconds"] / manner.rate, abs=0.02)
    assert made["level"] - plain["level"] == pytest.approx(manner.gain_db, abs=0.5)
    assert made["pitch"] - plain["pitch"] == pytest.approx(12 * np.log2(manner.pitch), abs=0.3)
    assert made["spread"] / plain["spread"] == pytest.approx(manner.span, abs=0.15)
    assert abs(made["tilt"] - plain["tilt"] - 3 * manner.tilt_db) < 2.5


def test_loud_sound_does_not_clip() -> None:
    """However loud the teacher was, samples stay below full scale."""
    assert np.abs(Manner(gain_db=20.0)(voiced())).max() < 1.0


def test_silence_stays_silence() -> None:
    """Sound without any voice has no pitch to move and no level to divide by."""
    assert np.abs(Manner(pitch=1.2, span=1.4)(np.zeros(SAMPLE_RATE, np.float32))).max() < 1e-3


def test_a_text_has_one_style_and_a_held_out_one_all() -> None:
    """Texts are shared out among the styles, evenly; those that are held out are spoken in every one of them."""
    spoken = [utterance("hibari", number, 2.0) for number in range(700)]
    given: dict[str, list[str]] = {}
    for one, style in styles.styled(spoken, 40):
        given.setdefault(one.key, []).append(style)
    held_out = [key for key in given if next(one for one in spoken if one.key == key).held_out]
    assert held_out and all(given[key] == list(MANNERS) for key in held_out)
    assert all(len(some) == 1 for key, some in given.items() if key not in held_out)
    counts = Counter(some[0] for key, some in given.items() if key not in held_out)
    assert counts == dict.fromkeys(MANNERS, 40)


def test_what_has_been_chosen_stays_when_the_corpus_grows() -> None:
    """More utterances only add rows."""
    spoken = [utterance("zm_yunxi", number, 2.0) for number in range(300)]
    early = [(one.key, style) for one, style in styles.styled(spoken[:120], 60)]
    assert early == [(one.key, style) for one, style in styles.styled(spoken, 60)][: len(early)]


def test_long_short_and_brief_voices_utterances_are_left_out() -> None:
    """Only middling utterances of the named voices are transformed."""
    spoken = [utterance("hibari", 1, 0.5), utterance("hibari", 2, 9.0), utterance("mix-en-001", 3, 2.0)]
    assert list(styles.styled(spoken, 60)) == []


def test_rows_of_a_style_have_keys_and_sound_of_their_own(tmp_path: Path) -> None:
    """The stage writes an index and sounds beside the plain ones, which stay as they were; a second run adds none."""
    plain = speak(tmp_path, {"hibari": 8}, hold_out=True)
    corpus = Corpus(tmp_path)
    before = corpus.index.read_bytes()
    sounds = [corpus.wave(one) for one in plain]
    styles.run(tmp_path, 60)
    made = list(corpus.styled())
    assert {one.style for one in made if one.held_out} == set(MANNERS)
    assert all(one.key == f"hibari-{one.text_id:08x}-{one.style}" for one in made)
    assert all(len(corpus.wave(one)) == round(one.seconds * SAMPLE_RATE) for one in made)
    assert corpus.index.read_bytes() == before
    assert all(np.array_equal(corpus.wave(one), sound) for one, sound in zip(plain, sounds))
    styles.run(tmp_path, 60)
    assert list(corpus.styled()) == made


def test_an_index_of_before_there_were_styles_is_read(tmp_path: Path) -> None:
    """Plain utterances are written as ever, without a style, and read as plain ones."""
    one = utterance("hibari", 1, 2.0)
    assert '"style"' not in one.line()
    (tmp_path / "index.jsonl").write_text(one.line() + "\n", encoding="utf-8")
    assert list(read_index(tmp_path / "index.jsonl")) == [one]
    assert "fast" in replace(one, style="fast").line()


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus with styles, up to its alignments."""
    folder = tmp_path_factory.mktemp("work")
    speak(folder, {"hibari": 12}, hold_out=True)
    styles.run(folder, 60)
    features.run(folder)
    codes.run(folder, NANO)
    corpus, alignments = SpokenCorpus(folder, NANO), Alignments(folder)
    alignments.path.parent.mkdir()
    spread = [np.linspace(0, len(one.text_ids) - 1, len(one.codes)).astype(np.int16) for one in corpus.spoken]
    alignments.path.write_bytes(b"".join(some.tobytes() for some in spread))
    return folder


def test_tags_stand_behind_the_frozen_ids() -> None:
    """Each style has a control token, on the ids after the last phoneme."""
    tokenizer = Tokenizer.load(ModelConfig.load(NANO))
    ids = [tokenizer.special(style_tag(style)) for style in MANNERS]
    assert ids == list(range(222, 228))
    assert set(ids) <= tokenizer.control_ids


def test_the_talker_learns_a_style_under_its_tag(work: Path) -> None:
    """A sequence has utterances of one style, its tag before the end of the prompt; plain ones have no tag."""
    training = TalkerTraining(SpokenCorpus(work, NANO), Alignments(work), NANO, TalkerSettings(plentiful=1.0))
    tokenizer = Tokenizer.load(ModelConfig.load(NANO))
    rows = training.network.config.head_rows
    tags = {rows + tokenizer.special(style_tag(style)): style for style in MANNERS}
    end = rows + tokenizer.end_of_prompt_id
    expected = Counter(one.style for one in training.corpus.training(training.utterances()))
    found = Counter[str]()
    for batch in training.epoch(0, training.utterances()):
        for one in batch:
            head = one.ids[1 : one.ids.tolist().index(end)].tolist()
            assert len(head) <= 1
            found[tags[head[0]] if head else ""] += 1
            assert not set(one.ids[3:].tolist()) & set(tags)
    assert found == expected
    with torch.no_grad():
        assert {"soft unistream", "soft bistream", "hibari unistream"} <= set(training.evaluate())


def test_a_sequence_is_of_one_style(work: Path) -> None:
    """What is joined to an utterance has its voice and its style."""
    corpus = SpokenCorpus(work, NANO)
    said = {tuple(one.codes.tolist()): one.style for one in corpus.spoken}
    training = TalkerTraining(corpus, Alignments(work), NANO, TalkerSettings(plentiful=1.0, alone=0.0, bistream=0.0))
    config = training.network.config
    lengths = {len(one.codes) for one in corpus.spoken}
    for batch in training.epoch(0, training.utterances()):
        for one in batch:
            speech = one.ids[one.ids.tolist().index(config.task_id) + 1 :].tolist()
            styled_as = set()
            while speech:
                part = next(tuple(speech[:n]) for n in lengths if tuple(speech[:n]) in said)
                styled_as.add(said[part])
                speech = speech[len(part) :]
            assert len(styled_as) == 1


def test_the_flow_learns_a_style_after_a_plain_prompt(work: Path) -> None:
    """Sound in a style is learnt, behind plain sound of the voice, but for the styles that only have another pace."""
    training = FlowTraining(SpokenCorpus(work, NANO), work, NANO, FlowSettings(plentiful=1.0, styled_prompted=1.0))
    plain = [one for one in training.corpus.training(training.utterances()) if not one.style]
    styled = [one for one in training.corpus.training(training.utterances()) if one.style]
    examples = [one for batch in training.epoch(0, training.utterances()) for one in batch]
    assert len(examples) == len(plain) + sum(one.style not in ("fast", "slow") for one in styled)
    beginnings = {tuple(one.codes[:10].tolist()) for one in plain}
    loud = [one.codes for one in styled if one.style == "loud"]
    prompted = [e for e in examples if any(e.codes[-len(codes) :].tolist() == codes.tolist() for codes in loud)]
    assert len(prompted) == len(loud)
    for one in prompted:
        assert one.known > 0 and tuple(one.codes[:10].tolist()) in beginnings


def test_features_of_a_style_are_of_its_own_sound(work: Path) -> None:
    """The store has the transformed sound: soft mel lies below plain mel of the same text."""
    store = FeatureStore(work)
    held_out = {e.utterance.style: e for e in store.entries if e.utterance.held_out}
    plain, soft = store.mel(held_out[""]), store.mel(held_out["soft"])
    assert soft.astype(np.float32).mean() < plain.astype(np.float32).mean() - 0.5


def test_utterances_keep_their_text(work: Path) -> None:
    """A style changes how a text is said, not what: same phonemes, same holding out."""
    plain: dict[str, Utterance] = {one.text: one for one in Corpus(work).utterances()}
    for one in Corpus(work).styled():
        assert (one.phonemes, one.held_out) == (plain[one.text].phonemes, plain[one.text].held_out)


def test_a_talker_that_has_learnt_styles_offers_them(work: Path, tmp_path: Path) -> None:
    """The exported directory has their phrases, the tags for them, and the mode that takes instructions."""
    _, state = load_talker_state(ModelConfig.load(NANO))
    (work / "talker").mkdir()
    torch.save({"average": {"talker": state}}, work / "talker" / "talker.pt")
    (work / "talker" / "note.json").write_text("{}")
    shutil.copytree(NANO, tmp_path / "before")
    serving = json.loads((NANO / SERVING_FILE).read_text(encoding="utf-8"))
    del serving["styles"]
    serving["modes"].remove("instruct")
    (tmp_path / "before" / SERVING_FILE).write_text(json.dumps(serving), encoding="utf-8")
    export.run(work, tmp_path / "before", tmp_path / "model")
    config = ModelConfig.load(tmp_path / "model")
    assert [style.name for style in config.serving.styles] == list(MANNERS)
    assert config.serving.modes == (*ModelConfig.load(tmp_path / "before").serving.modes, "instruct")
    tokenizer = Tokenizer.load(config)
    assert [tokenizer.special(style.tag) for style in config.serving.styles] == list(range(222, 228))
