"""Which style an instruction means: the phrases of the embedded voice, in both languages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cosyvoice.errors import CheckpointError
from cosyvoice.nano import export
from cosyvoice.nano.corpus.manner import MANNERS, style_tag
from cosyvoice.serving_config import ServingConfig
from cosyvoice.voice.modes import unfollowed
from cosyvoice.voice.styles import style_of

STYLES = json.loads((Path(export.__file__).parent / "styles.json").read_text(encoding="utf-8"))


def serving(directory: Path, styles: Any) -> ServingConfig:
    (directory / "serving.json").write_text(json.dumps({"name": "tiny", "styles": styles}), encoding="utf-8")
    return ServingConfig.load(directory)


def test_the_styles_offered_are_those_trained() -> None:
    """Names and tags of styles.json are the recipe's, with phrases in both languages."""
    assert {name: style["tag"] for name, style in STYLES.items()} == {name: style_tag(name) for name in MANNERS}
    assert all(style["en"] and style["zh"] for style in STYLES.values())


@pytest.mark.parametrize(
    ("instruction", "style"),
    [
        ("Please speak slowly.", "slow"),
        ("Could you SPEAK UP, please?", "loud"),
        ("Not so fast!", "slow"),
        ("don’t speak too fast", "slow"),
        ("In a calm voice", "calm"),
        ("Don't shout", "soft"),
        ("ｓｐｅａｋ ｆａｓｔ", "fast"),
        ("say it fast and loud", "fast"),
        ("Not happy, but calm", "calm"),
        ("请慢一点说。", "slow"),
        ("请不要那么快", "slow"),
        ("用开心的语气说", "cheerful"),
        ("快乐地说", "cheerful"),
        ("别太大声", "soft"),
        ("麻烦你说快点！", "fast"),
        ("用平静的语气", "calm"),
        ("breakfast", None),
        ("不要太高兴", None),
        ("请用广东话表达。", None),
        ("Imitate a robot.", None),
        ("?!", None),
        ("", None),
    ],
)
def test_phrases_are_found_in_instructions(tmp_path: Path, instruction: str, style: str | None) -> None:
    """Whole words count, the longest phrase, the first style; a denied one means its opposite or nothing."""
    found = style_of(instruction, serving(tmp_path, STYLES).styles)
    assert (found and found.name) == style


def test_every_phrase_means_its_own_style(tmp_path: Path) -> None:
    """No phrase is hidden by another style's."""
    styles = serving(tmp_path, STYLES).styles
    for style in styles:
        for phrase in style.phrases:
            found = style_of(phrase, styles)
            assert found is style, phrase


def test_only_an_instruction_that_names_no_style_is_warned_of(tmp_path: Path) -> None:
    """A checkpoint without styles reads all of them; one with styles says which it has."""
    styled = serving(tmp_path, STYLES)
    assert "(fast, slow, soft, loud, cheerful, calm)" in unfollowed("Imitate a robot.", styled)
    assert unfollowed("softly", styled) == unfollowed("  ", styled) == ""
    assert unfollowed("Imitate a robot.", ServingConfig()) == ""


@pytest.mark.parametrize(
    ("styles", "message"),
    [
        (["fast"], "styles: expected a JSON object, found list"),
        ({"fast": {"en": ["fast"]}}, "fast: expected a tag and lists of phrases"),
        ({"fast": {"tag": "<|fast|>"}}, "fast: expected a tag and lists of phrases"),
        ({"fast": {"tag": "<|fast|>", "en": "fast"}}, "fast: expected a tag and lists of phrases"),
        ({"fast": {"tag": "<|fast|>", "en": [" "]}}, "fast: expected a tag and lists of phrases"),
        ({"fast": {"tag": "<|fast|>", "opposite": "slow", "en": ["fast"]}}, "expected one of ['fast'] as opposite"),
    ],
)
def test_styles_that_cannot_be_are_refused(tmp_path: Path, styles: Any, message: str) -> None:
    """The error names the file, the style and what was expected."""
    with pytest.raises(CheckpointError) as error:
        serving(tmp_path, styles)
    assert message in str(error.value) and "serving.json" in str(error.value)
