"""The parts of the listener that need no model."""

from pathlib import Path

import numpy as np

from cosyvoice.nano.score.listener import (
    PIECE_S,
    SAMPLE_RATE,
    Score,
    error_rate,
    language_of,
    model_folder,
    pieces,
    plain,
)


def test_model_folder_joins_the_parts(tmp_path: Path) -> None:
    """The halves of the model are joined in order, beside the small files; a whole folder is used as it is."""
    folders = [tmp_path / "one", tmp_path / "two"]
    for number, folder in enumerate(folders, 1):
        folder.mkdir()
        (folder / f"model.bin.part{number}").write_bytes(bytes([number]) * 3)
    for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
        (folders[0] / name).write_text(name)
    target = model_folder(folders, tmp_path / "model")
    names = ["config.json", "model.bin", "tokenizer.json", "vocabulary.txt"]
    assert sorted(path.name for path in target.iterdir()) == names
    assert (target / "model.bin").read_bytes() == b"\1\1\1\2\2\2"
    assert model_folder([], target) == target


def test_long_sound_is_cut_where_it_is_quiet() -> None:
    """No piece is longer than the recogniser hears well, nothing is lost, and the cut lies in the pause."""
    wave = np.random.default_rng(0).normal(0, 0.1, 40 * SAMPLE_RATE).astype(np.float32)
    wave[13 * SAMPLE_RATE : 14 * SAMPLE_RATE] = 0
    cut = pieces(wave)
    assert np.array_equal(np.concatenate(cut), wave) and all(len(piece) <= PIECE_S * SAMPLE_RATE for piece in cut)
    assert 13 * SAMPLE_RATE < len(cut[0]) < 14 * SAMPLE_RATE
    assert len(pieces(wave[: 10 * SAMPLE_RATE])) == 1


def test_language_of() -> None:
    """One Chinese character makes a text Mandarin."""
    assert language_of("Hello 123!") == "en"
    assert language_of("我用 GPU") == "zh"


def test_plain_english() -> None:
    """Case, punctuation and the kind of apostrophe do not count."""
    assert plain("Don\u2019t stop: it's 5 o'clock!", "en") == "don't stop it's 5 o'clock"


def test_error_rate_weighs_by_length() -> None:
    """Edits of all texts over units of all texts; certain when every text has the same rate."""
    assert error_rate([Score("", "", 1, 10), Score("", "", 0, 30)])[0] == 1 / 40
    rate, deviation = error_rate([Score("", "", 1, 10), Score("", "", 1, 10)])
    assert rate == 0.1 and deviation < 1e-12
