"""Clients of other makers against the server with its real engine: one sentence each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.clients_real.environment import run_program
from tests.clients_real.test_rtclient_js import run_in_node
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
        ("pipecat", "pipecat_deepgram", ("speaks", "any", "flux-alexis-en", "flux")),
        ("livekit", "livekit_deepgram", ("speaks", "any", "flux-alexis-en", "flux")),
        ("cartesia", "cartesia_sdk", ("speaks", "any", "f786b574-daa5-4673-aa0c-cbe3e8534c02")),
        ("pipecat", "pipecat_cartesia", ("speaks", "any", "f786b574-daa5-4673-aa0c-cbe3e8534c02", "tokens")),
        ("livekit", "livekit_cartesia", ("speaks", "any", "f786b574-daa5-4673-aa0c-cbe3e8534c02")),
        ("dashscope", "dashscope_sdk", ("pool", "any", "longanyang")),
        ("elevenlabs", "elevenlabs_sdk", ("speaks", "any", "21m00Tcm4TlvDq8ikWAM")),
        ("pipecat", "pipecat_elevenlabs", ("speaks", "any", "JBFqnCBsd6RMkjVDRZzb", "sentences")),
        ("pipecat", "pipecat_elevenlabs", ("speaks", "any", "JBFqnCBsd6RMkjVDRZzb", "tokens")),
        ("livekit", "livekit_elevenlabs", ("speaks", "any", "hpp4J3VqNfWAUOO0d1Us")),
        ("pipecat", "pipecat_openai", ("speaks", "any", "alloy")),
        ("livekit", "livekit_openai", ("speaks", "any", "onyx", "gpt-4o-mini-tts")),
        ("livekit", "livekit_baseten", ("speaks", "any", "vivian")),
    ],
)
def test_a_client_hears_a_sentence(url: str, environment: str, program: str, arguments: tuple[str, ...]) -> None:
    """Twice; word by word where the protocol can."""
    told = asyncio.run(run_program(environment, program, url, *arguments, timeout_s=120)).told
    sizes = list(_sizes(told))
    assert len(sizes) >= 2 and all(LEAST_BYTES < size < MOST_BYTES for size in sizes), told
    if program == "livekit_baseten":
        assert [word for word, _, _ in told[0]["words"]] == ["one ", "two ", "three ", "four "]


def test_the_javascript_client_hears_a_sentence(url: str) -> None:
    """Word by word, and as a whole text, with the times of its words."""
    told = asyncio.run(run_in_node(url, "speaks", timeout_s=120))
    for turn in told["turns"]:
        assert LEAST_BYTES < turn["bytes"] < MOST_BYTES and turn["words"] == ["one", "two", "three", "four"]


def _sizes(told: Any) -> Iterator[int]:
    """Bytes of sound, wherever a program tells them."""
    if isinstance(told, dict):
        if told.get("type") == "SessionMetadata":  # no turn
            return
        for key, value in told.items():
            if key in ("bytes", "file"):
                yield value
            elif key == "turns":
                yield from value
    elif told and isinstance(told[0], list):  # pipecat: turns, errors
        assert told[1] == []
        yield from told[0]
    else:
        for turn in told:
            yield from _sizes(turn)
