"""The aligner: how far it sees, what the best path finds, and that training lowers its loss."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from cosyvoice.models import NANO
from cosyvoice.nano.aligner import alignment, training
from cosyvoice.nano.aligner.alignment import Alignments, text_of_codes
from cosyvoice.nano.data import codes, features
from cosyvoice.nano.data.corpus_codes import SpokenCorpus
from cosyvoice.talker.aligner import SLOTS_PER_TOKEN, Aligner, AlignerConfig, best_path
from tests.cosyvoice.nano.corpora import speak

pytestmark = pytest.mark.model

SMALL = AlignerConfig(speech_tokens=30, classes=12, dim=16, layers=2, lookahead_tokens=2)


def certain(classes: list[int], count: int = 6) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Log-probabilities of slots that are sure of these classes [slots, count]."""
    probabilities = np.full((len(classes), count), 0.1 / (count - 1), np.float32)
    probabilities[np.arange(len(classes)), classes] = 0.9
    return np.log(probabilities)


def test_it_sees_no_further_than_its_lookahead() -> None:
    """Tokens beyond the look-ahead change nothing before them; those within do."""
    torch.manual_seed(0)
    aligner = Aligner(SMALL).eval()
    tokens = torch.randint(0, 30, (1, 20))
    changed = tokens.clone()
    changed[0, 12] = (changed[0, 12] + 1) % 30
    with torch.no_grad():
        same = (aligner(tokens) - aligner(changed)).abs().amax(-1)[0].view(-1, SLOTS_PER_TOKEN).amax(1)
    assert (same[:10] < 1e-6).all()
    assert same[10] > 1e-5 and same[12] > 1e-5


def test_padding_does_not_change_what_counts() -> None:
    """A row in a padded batch reads as it does alone."""
    torch.manual_seed(0)
    aligner = Aligner(SMALL).eval()
    tokens = torch.randint(0, 30, (2, 16))
    with torch.no_grad():
        alone = aligner(tokens[1:, :9])
        together = aligner(tokens, torch.tensor([16, 9]))[1:, : 9 * SLOTS_PER_TOKEN]
    assert torch.allclose(alone, together, atol=1e-5)


def test_the_best_path_finds_each_phoneme() -> None:
    """Times are the middles of the stretches, repeated phonemes and blanks apart."""
    times = best_path(certain([0, 1, 1, 1, 0, 2, 0, 2, 3, 3]), [1, 2, 2, 3])
    assert times is not None and times.tolist() == [2.0, 5.0, 7.0, 8.5]


def test_phonemes_that_do_not_fit_have_no_path() -> None:
    """More phonemes than slots, or repeats without room for a blank between, or none at all."""
    assert best_path(certain([1, 2]), [1, 2, 3]) is None
    assert best_path(certain([1, 1]), [1, 1]) is None
    assert best_path(certain([0, 0]), []) is None


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder with a small corpus that has codes."""
    speak(tmp_path, {"hibari": 12, "am_michael": 12})
    features.run(tmp_path)
    codes.run(tmp_path, NANO)
    return tmp_path


def test_training_lowers_the_loss_and_aligns_the_corpus(work: Path) -> None:
    """A few steps lower CTC; then each code has a place in its text, in order, from the first id to the last."""
    state = training.run(work, NANO, 60, torch.device("cpu"))
    losses = [entry["ctc"] for entry in state.history if entry["kind"] == "training"]
    assert losses[-1] < 0.7 * losses[0]
    alignment.run(work, NANO)
    corpus = SpokenCorpus(work, NANO)
    alignments = Alignments(work)
    assert alignments.aligned(corpus) == 24
    for one in corpus.spoken:
        places = alignments.of(one)
        assert places is not None and len(places) == len(one.codes)
        assert (np.diff(places) >= 0).all()
        assert 0 <= places[0] <= places[-1] < len(one.text_ids)


def test_a_text_too_long_for_its_codes_is_left_out(work: Path) -> None:
    """It has no alignment instead of a wrong one."""
    corpus = SpokenCorpus(work, NANO)
    one = corpus.spoken[0]
    long = type(one)(one.entry, one.text_ids * 10, one.codes)
    aligner = Aligner(AlignerConfig(2187, 512, dim=16, layers=1)).eval()
    assert text_of_codes(long, aligner, corpus.phonemes.sounding) is None
    assert text_of_codes(one, aligner, corpus.phonemes.sounding) is not None
