"""Corpus, features and codes on disk: they grow, and a crash in between costs nothing but the work in hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cosyvoice.models import NANO
from cosyvoice.nano.corpus.rows import Row
from cosyvoice.nano.corpus.stage import Corpus, speech_of
from cosyvoice.nano.corpus.teachers import SAMPLE_RATE
from cosyvoice.nano.data import codes, features
from cosyvoice.nano.data.codes import TOKENIZER_FILE, CodeStore
from cosyvoice.nano.data.corpus_codes import SpokenCorpus
from cosyvoice.nano.data.phonemes import PhonemeIds
from cosyvoice.nano.data.store import FeatureStore
from cosyvoice.voice.features import mel_24k
from cosyvoice.voice.onnx_network import OnnxNetwork
from tests.cosyvoice.nano.corpora import PHONEMES, speak, tone


def code_store(work: Path) -> CodeStore:
    return CodeStore(FeatureStore(work), OnnxNetwork(NANO / TOKENIZER_FILE))


def test_features_are_those_of_the_serving_code(tmp_path: Path) -> None:
    """An utterance's mel in the store is the mel of its sound, cut to whole codes, to half precision."""
    import torch

    speak(tmp_path, {"hibari": 3})
    features.run(tmp_path)
    store = FeatureStore(tmp_path)
    entry = store.entries[1]
    wave = features.whole_codes(Corpus(tmp_path).wave(entry.utterance))
    expected = mel_24k(torch.from_numpy(wave)).numpy()
    assert entry.frames == len(expected) and entry.frames % 2 == 0
    assert np.abs(store.mel(entry).astype(np.float32) - expected).max() < 0.01
    assert store.whisper(entry).shape == (2 * entry.frames, 128)


def test_a_second_run_adds_only_what_is_new(tmp_path: Path) -> None:
    """Features and codes of earlier utterances stay where they are, and new ones follow."""
    speak(tmp_path, {"hibari": 2})
    features.run(tmp_path)
    codes.run(tmp_path, NANO)
    before = [code_store(tmp_path).codes(entry).tolist() for entry in code_store(tmp_path).entries]
    speak(tmp_path, {"am_michael": 2})
    features.run(tmp_path)
    codes.run(tmp_path, NANO)
    store = code_store(tmp_path)
    assert [store.codes(entry).tolist() for entry in store.entries[:2]] == before
    assert [entry.utterance.voice for entry in store.entries] == ["hibari", "hibari", "am_michael", "am_michael"]
    assert all(len(store.codes(entry)) == entry.frames // 2 for entry in store.entries)
    codes.run(tmp_path, NANO)  # nothing is missing, and nothing is lost
    assert len(code_store(tmp_path).entries) == 4


def test_a_crash_while_writing_features_is_repaired(tmp_path: Path) -> None:
    """Half a line in the index and bytes too many in a file do not disturb what is read or added later."""
    speak(tmp_path, {"hibari": 2})
    features.run(tmp_path)
    whole = [FeatureStore(tmp_path).mel(entry).copy() for entry in FeatureStore(tmp_path).entries]
    with (tmp_path / "features" / "index.jsonl").open("a") as index:
        index.write('{"voice": "hib')
    with (tmp_path / "features" / "mel.f16").open("ab") as file:
        file.write(b"rubbish")
    speak(tmp_path, {"hibari": 1}, first=2)
    features.run(tmp_path)
    store = FeatureStore(tmp_path)
    assert len(store.entries) == 3
    assert all((store.mel(entry) == mel).all() for entry, mel in zip(store.entries, whole))
    assert np.isfinite(store.mel(store.entries[2])).all()


def test_a_line_cut_off_in_the_corpus_index_is_replaced(tmp_path: Path) -> None:
    """After a crash in the middle of a note, the utterance is not there, and the next note is."""
    first, second = speak(tmp_path, {"hibari": 2})
    corpus = Corpus(tmp_path)
    text = corpus.index.read_text(encoding="utf-8")
    corpus.index.write_text(text[:-20], encoding="utf-8")
    assert list(corpus.utterances()) == [first]
    corpus.note(second)
    assert list(corpus.utterances()) == [first, second]


def test_refused_rows_are_not_tried_again(tmp_path: Path) -> None:
    """What cannot be spoken is settled as much as what has been."""
    (spoken,) = speak(tmp_path, {"hibari": 1})
    refused = Row("hibari", "en", "talk", "???")
    Corpus(tmp_path).refuse(refused)
    assert Corpus(tmp_path).settled() == {spoken.key, refused.key}


def test_silence_around_speech_is_cut() -> None:
    """A tenth of a second stays behind the sound, less before it; a wave of silence gives nothing."""
    silence = np.zeros(SAMPLE_RATE, np.float32)
    cut = speech_of(np.concatenate([silence, tone(1.0, 0), silence]))
    assert cut is not None and len(cut) / SAMPLE_RATE == pytest.approx(1.16, abs=0.01)
    assert speech_of(silence) is None


def test_held_out_texts_are_in_no_training_set(tmp_path: Path) -> None:
    """Over many utterances, training and held-out sets share no text, and nothing is lost."""
    speak(tmp_path, {"hibari": 10, "am_michael": 10}, hold_out=True)
    features.run(tmp_path)
    codes.run(tmp_path, NANO)
    corpus = SpokenCorpus(tmp_path, NANO)
    trained = {one.entry.utterance.text for one in corpus.training(len(corpus.spoken))}
    held = {one.entry.utterance.text for some in corpus.held_out().values() for one in some}
    assert held and not trained & held
    assert len(trained) == 20 and len(held) == 2
    assert len(corpus.spoken[0].text_ids) > 10


def test_sounding_ids_are_phonemes_only() -> None:
    """Spaces, signs and bare stress marks make no sound; vowels with stress do."""
    phonemes = PhonemeIds(NANO)
    assert len(phonemes.sounding_of(PHONEMES)) == sum(c.isalpha() and c not in "ˈˌ" for c in PHONEMES)
    assert not {phonemes.of(sign)[0] for sign in " .,ˈ"} & phonemes.sounding
