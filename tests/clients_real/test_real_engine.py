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
        ("pipecat", "pipecat_turns", ("speaks", "any", "any", "rtserver")),
        ("pipecat", "pipecat_turns", ("speaks", "any", "any", "deepgram-flux")),
        ("livekit", "livekit_turns", ("speaks", "any", "any", "rtserver")),
        ("livekit", "livekit_turns", ("speaks", "any", "any", "deepgram-flux")),
        ("cartesia", "cartesia_sdk", ("speaks", "any", "f786b574-daa5-4673-aa0c-cbe3e8534c02")),
        ("pipecat", "pipecat_turns", ("speaks", "any", "any", "cartesia-tokens")),
        ("livekit", "livekit_turns", ("speaks", "any", "any", "cartesia")),
        ("dashscope", "dashscope_sdk", ("pool", "any", "longanyang")),
        ("elevenlabs", "elevenlabs_sdk", ("speaks", "any", "21m00Tcm4TlvDq8ikWAM")),
        ("pipecat", "pipecat_turns", ("speaks", "any", "JBFqnCBsd6RMkjVDRZzb", "elevenlabs")),
        ("pipecat", "pipecat_turns", ("speaks", "any", "JBFqnCBsd6RMkjVDRZzb", "elevenlabs-tokens")),
        ("livekit", "livekit_turns", ("speaks", "any", "any", "elevenlabs")),
        ("pipecat", "pipecat_turns", ("speaks", "any", "any", "openai")),
        ("livekit", "livekit_turns", ("speaks", "any", "any", "openai-events")),
        ("livekit", "livekit_turns", ("speaks", "any", "any", "baseten")),
    ],
)
def test_a_client_hears_a_sentence(url: str, environment: str, program: str, arguments: tuple[str, ...]) -> None:
    """Twice; word by word where the protocol can."""
    told = asyncio.run(run_program(environment, program, url, *arguments, timeout_s=120)).told
    sizes = list(_sizes(told))
    assert len(sizes) >= 2 and all(LEAST_BYTES < size < MOST_BYTES for size in sizes), told
    if program == "livekit_turns" and arguments[-1] in ("rtserver", "baseten"):
        assert [word for word, _, _ in told["turns"][0]["words"]] == ["one", "two", "three", "four"]
    if program == "pipecat_turns":
        assert not told["errors"]


def test_the_javascript_client_hears_a_sentence(url: str) -> None:
    """Word by word, and as a whole text, with the times of its words."""
    told = asyncio.run(run_in_node(url, "speaks", timeout_s=120))
    for turn in told["turns"]:
        assert LEAST_BYTES < turn["bytes"] < MOST_BYTES and turn["words"] == ["one", "two", "three", "four"]


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
