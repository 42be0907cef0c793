"""Clients of other makers against the server with its real engine: one sentence each.

`bench.clients.heard` has these sentences heard by a listener, which needs packages that tests do not have."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.clients_real.environment import run_program
from tests.clients_real.examples import RATE_HZ, each_program, sound_of, sound_of_javascript
from tests.clients_real.test_rtclient_js import run_in_node
from tests.rtserver.audio.sound import FULL_SCALE, Samples
from tests.rtserver.embedded import embedded_server

pytestmark = [pytest.mark.clients, pytest.mark.timeout(900)]

# "one two three four" lasts about two seconds.
LEAST_BYTES, MOST_BYTES = 48000, 48000 * 5


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a server with the embedded voice."""
    with embedded_server(tmp_path_factory.mktemp("cache")) as url:
        yield url


@pytest.mark.parametrize(
    ("environment", "program", "arguments"),
    [
        ("deepgram-sdk", "deepgram_sdk", ("speaks", "any", "aura-2-thalia-en")),
        ("deepgram-sdk", "deepgram_sdk", ("flux_speaks", "any", "flux-cole-en")),
        ("pipecat", "pipecat_turns", ("speaks", "any", "any", "rtserver")),
        ("pipecat", "pipecat_turns", ("speaks", "any", "any", "deepgram-flux")),
        ("pipecat", "pipecat_turns", ("speaks", "any", "any", "deepgram-aura")),
        ("pipecat", "pipecat_turns", ("speaks", "any", "any", "deepgram-http")),
        ("livekit", "livekit_turns", ("speaks", "any", "any", "rtserver")),
        ("livekit", "livekit_turns", ("speaks", "any", "any", "deepgram-flux")),
        ("livekit", "livekit_turns", ("speaks", "any", "any", "deepgram-aura")),
        ("cartesia", "cartesia_sdk", ("speaks", "any", "f786b574-daa5-4673-aa0c-cbe3e8534c02")),
        ("pipecat", "pipecat_turns", ("speaks", "any", "any", "cartesia-tokens")),
        ("pipecat", "pipecat_turns", ("speaks", "any", "any", "cartesia-http")),
        ("livekit", "livekit_turns", ("speaks", "any", "any", "cartesia")),
        ("dashscope", "dashscope_sdk", ("pool", "any", "longanyang")),
        ("dashscope", "dashscope_sdk", ("http", "any", "longanyang")),
        ("elevenlabs", "elevenlabs_sdk", ("speaks", "any", "21m00Tcm4TlvDq8ikWAM")),
        ("pipecat", "pipecat_turns", ("speaks", "any", "JBFqnCBsd6RMkjVDRZzb", "elevenlabs")),
        ("pipecat", "pipecat_turns", ("speaks", "any", "JBFqnCBsd6RMkjVDRZzb", "elevenlabs-tokens")),
        ("pipecat", "pipecat_turns", ("speaks", "any", "any", "elevenlabs-http")),
        ("livekit", "livekit_turns", ("speaks", "any", "any", "elevenlabs")),
        ("pipecat", "pipecat_turns", ("speaks", "any", "any", "openai")),
        ("livekit", "livekit_turns", ("speaks", "any", "any", "openai-events")),
        ("livekit", "livekit_turns", ("speaks", "any", "any", "baseten")),
        ("livekit", "livekit_turns", ("speaks", "any", "any", "inference")),
    ],
)
def test_a_client_hears_a_sentence(url: str, environment: str, program: str, arguments: tuple[str, ...]) -> None:
    """Twice; word by word where the protocol can."""
    told = asyncio.run(run_program(environment, program, url, *arguments, timeout_s=120)).told
    sizes = list(_sizes(told))
    assert len(sizes) >= 2 and all(LEAST_BYTES < size < MOST_BYTES for size in sizes), told
    if program == "livekit_turns" and arguments[-1] in ("rtserver", "baseten", "inference"):
        assert [word for word, _, _ in told["turns"][0]["words"]] == ["one", "two", "three", "four"]
    if program == "pipecat_turns":
        assert not told["errors"]


def test_the_javascript_client_hears_a_sentence(url: str) -> None:
    """Word by word, and as a whole text, with the times of its words."""
    told = asyncio.run(run_in_node(url, "speaks", timeout_s=120))
    for turn in told["turns"]:
        assert LEAST_BYTES < turn["bytes"] < MOST_BYTES and turn["words"] == ["one", "two", "three", "four"]


@pytest.mark.parametrize(("page", "program"), [pytest.param(*each, id=each[0]) for each in each_program()])
def test_an_example_of_the_documents_is_speech(url: str, page: str, program: str, tmp_path: Path) -> None:
    """Its file has the format, the length and the level of a short sentence."""
    is_a_sentence(asyncio.run(sound_of(page, program, url, tmp_path)))


def test_the_example_of_the_javascript_client_is_speech(url: str, tmp_path: Path) -> None:
    """The same."""
    is_a_sentence(asyncio.run(sound_of_javascript(url, tmp_path)))


def is_a_sentence(samples: Samples) -> None:
    """Whether this can be "Hello, how are you?" as our voices say it: not a piece of it, no noise, no silence."""
    assert 0.8 < len(samples) / RATE_HZ < 4
    assert -35 < 10 * np.log10(np.mean((samples / FULL_SCALE) ** 2)) < -10
    assert np.abs(samples).max() < FULL_SCALE


def _sizes(told: Any) -> Iterator[int]:
    """Bytes of sound, wherever a program tells them."""
    if isinstance(told, int):
        yield told
    elif isinstance(told, list):
        for one in told:
            yield from _sizes(one)
    elif isinstance(told, dict) and told.get("type") != "SessionMetadata":  # that is no turn
        for key in {"bytes", "file", "turns", "whole"} & told.keys():
            yield from _sizes(told[key])
