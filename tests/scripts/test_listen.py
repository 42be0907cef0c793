"""The parts of scripts/listen that need no model."""

from __future__ import annotations

from pathlib import Path

from listen import language_of, model_folder, normal_form


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


def test_language_of() -> None:
    """One Chinese character makes a text Mandarin."""
    assert language_of("Hello 123!") == "en"
    assert language_of("我用 GPU") == "zh"


def test_normal_form_of_english() -> None:
    """Case, punctuation and the kind of apostrophe do not count."""
    assert normal_form("Don\u2019t stop: it's 5 o'clock!", "en") == "don't stop it's 5 o'clock"
