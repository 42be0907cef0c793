"""What voices are called."""

from __future__ import annotations

import pytest

from rtserver.session.foreign_voices import FOREIGN_VOICES
from rtserver.session.voice_names import VoiceNames

OPENAI = [
    "alloy",
    "ash",
    "ballad",
    "cedar",
    "coral",
    "echo",
    "fable",
    "marin",
    "nova",
    "onyx",
    "sage",
    "shimmer",
    "verse",
]


def test_own_voices_keep_their_names() -> None:
    """Also one that is called like a voice of another service, and names that mean a kind of voice."""
    names = VoiceNames(["Nova", "aura-2-zeus-en"])
    for name in ("nova", "NOVA", "aura-2-zeus-en", "default", "male", "nobody", ""):
        assert names.resolve(name) == name


def test_aliases_of_the_settings_come_first() -> None:
    """Before own voices and other services; a pattern only after the own voices."""
    names = VoiceNames(["Anna", "Nova"], {"nova": "Anna", "aura-*": "Nova", "*": "Anna"})
    assert names.resolve("NOVA") == "Anna"
    assert names.resolve("anna") == "anna"
    assert names.resolve("aura-2-thalia-en") == "Nova"
    assert names.resolve("onyx") == "Anna"


@pytest.mark.parametrize(
    ("name", "voice"),
    [
        ("alloy", "female"),
        ("Onyx", "male"),
        ("aura-2-thalia-en", "female"),
        ("aura-2-zeus-en", "male"),
        ("aura-orion-en", "male"),
        ("flux-cole-en", "male"),
        ("flux-alexis-en", "female"),
        ("aura-2-someone-new-xx", "female"),
        ("Uncle_Fu", "male"),
        ("f786b574-daa5-4673-aa0c-cbe3e8534c02", "female"),
        ("C961B81C-A935-4C17-BFB3-BA2239DE8C2F", "male"),
        ("f786b574-daa5-4673-aa0c-cbe3e8534cxy", "f786b574-daa5-4673-aa0c-cbe3e8534cxy"),
        ("longcheng_v2", "male"),
        ("longxiaochun", "female"),
        ("loongstella_v2", "female"),
        ("21m00Tcm4TlvDq8ikWAM", "female"),
        ("JBFqnCBsd6RMkjVDRZzb", "male"),
        ("aurora", "aurora"),
    ],
)
def test_voices_of_other_services_have_an_alias(name: str, voice: str) -> None:
    """By their gender; Deepgram's by pattern, so that a new one speaks too."""
    assert VoiceNames().resolve(name) == voice


def test_all_voices_of_openai_have_an_alias() -> None:
    """All thirteen."""
    assert {FOREIGN_VOICES[name] for name in OPENAI} == {"female", "male"} and len(OPENAI) == 13


def test_a_name_that_is_too_long_is_compared_with_nothing() -> None:
    """It is the name of no voice, even where a pattern would fit: comparing 15,000 characters took 60 ms."""
    names = VoiceNames(["Anna"], {"*": "Anna"})
    assert names.resolve("x" * 200) == "Anna" and names.knows("x" * 200)
    assert names.resolve("x" * 201) == "x" * 201 and not names.knows("x" * 201)
