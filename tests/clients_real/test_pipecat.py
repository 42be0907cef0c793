"""pipecat's services for other makers' protocols with another URL and nothing else, and our own on the native wire."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from rtserver.engine.fake import FakeOptions
from tests.clients_real.environment import environment, run_program
from tests.clients_real.tones import KEY, LONG_TEXT, TURN_BYTES, full, is_what_was_heard, told_over_a_restart, tones
from tests.rtserver.http.http_client import TEXT, NotingEngine
from tests.rtserver.serving import Served, eventually, served, served_again

pytestmark = [pytest.mark.clients, pytest.mark.timeout(900)]


@dataclass(frozen=True)
class Expected:
    """What a service tells of its errors, and what it can."""

    # In the error of an unknown voice.
    unknown: str
    # In the error of a wrong key.
    stranger: str
    # In the error when there is no place.
    overload: str
    # Whether it knows when words are heard.
    words: bool = False


_CARTESIA = Expected("voice_not_found", "401", "concurrency_limited", words=True)
_DEEPGRAM = Expected("model: expected a voice", "401", "overloaded")
_OURS = Expected("unknown_voice", "unauthorized", "overloaded", words=True)
# It reads no error on a socket: it tells that there was no sound.
_ELEVENLABS = Expected("404", "401", "no audio", words=True)
SERVICES = {
    "rtserver": _OURS,
    "rtserver-sentences": _OURS,
    "deepgram-flux": _DEEPGRAM,
    "deepgram-aura": _DEEPGRAM,
    "deepgram-http": Expected("model: expected a voice", "401", "TOO_MANY_REQUESTS"),
    "cartesia": _CARTESIA,
    "cartesia-tokens": _CARTESIA,
    "cartesia-http": Expected("voice_not_found", "401", "concurrency_limited"),
    "elevenlabs": _ELEVENLABS,
    "elevenlabs-tokens": _ELEVENLABS,
    "elevenlabs-http": Expected("voice_not_found", "invalid_api_key", "system_busy", words=True),
    "openai": Expected("voice", "401", "429"),
}
SOCKETS = [name for name in SERVICES if not name.endswith("-http") and name != "openai"]
# One of each: they differ in how they send text, and are the same in all else.
KINDS = [name for name in SERVICES if not name.endswith(("-tokens", "-sentences"))]


async def told(server: Served, case: str, name: str, key: str = "right", voice: str = "any") -> Any:
    """What the program tells of a case."""
    return (await run_program("pipecat", "pipecat_turns", server.url, case, key, voice, name)).told


@pytest.mark.parametrize("name", SERVICES)
def test_it_speaks(name: str) -> None:
    """Two turns of an LLM, token by token, on one socket if it uses sockets; where it can it believes every word to be
    heard. It leaves nothing open."""

    async def scenario() -> None:
        async with tones() as server:
            answer = await told(server, "speaks", name)
            assert answer["turns"] == [TURN_BYTES] * 2 and not answer["errors"]
            if SERVICES[name].words:
                assert answer["words"] == 2 * TEXT.split()
            assert name not in SOCKETS or server.requests == 1
            await eventually(lambda: not server.app.connections)

    asyncio.run(scenario())


@pytest.mark.parametrize("name", SERVICES)
def test_it_interrupts(name: str) -> None:
    """In mid-speech: the next turns have their own sound and nothing of the one before. Its work ends at once: the
    server has one place."""

    async def scenario() -> None:
        async with tones(max_streams=1) as server:
            answer = await told(server, "interrupts", name)
            assert answer["turns"] == [TURN_BYTES] * 2 and not answer["errors"]
            if SERVICES[name].words:
                assert answer["words"][-8:] == 2 * TEXT.split()

    asyncio.run(scenario())


@pytest.mark.parametrize("name", KINDS)
def test_it_is_refused(name: str) -> None:
    """An unknown voice and a bad key are errors with our reason."""

    async def scenario() -> None:
        async with tones() as server:
            if name != "openai":  # it asks for its own voices only
                assert SERVICES[name].unknown in (await told(server, "fails", name, voice="nobody"))["errors"][0]
            assert SERVICES[name].stranger in (await told(server, "fails", name, key="wrong"))["errors"][0]

    asyncio.run(scenario())


def test_our_errors_have_categories() -> None:
    """pipecat gives a service no more work after an error that is permanent, and goes on after another. It may add that
    there was no sound."""

    async def first(server: Served, **options: Any) -> str:
        category: str = (await told(server, "fails", "rtserver", **options))["categories"][0]
        return category

    async def scenario() -> None:
        async with tones() as server:
            assert await first(server, voice="nobody") == "invalid_request"
            assert await first(server, key="wrong") == "authentication"
        async with full() as server:
            assert await first(server) == "rate_limit"

    asyncio.run(scenario())


def test_our_turn_goes_on_after_a_pause() -> None:
    """A model that waits for a tool does not end the turn: it is one, with all of its sound and words."""

    async def scenario() -> None:
        async with tones() as server:
            answer = await told(server, "pauses", "rtserver")
            assert answer["turns"] == [TURN_BYTES] * 2 and not answer["errors"]
            assert answer["words"] == 2 * TEXT.split()

    asyncio.run(scenario())


@pytest.mark.parametrize("name", [name for name in KINDS if name != "deepgram-aura"])  # it reads no error
def test_an_overload_is_an_error_at_once(name: str) -> None:
    """Agents wait three seconds or more for what does not come."""

    async def scenario() -> None:
        async with full() as server:
            assert SERVICES[name].overload in str(await told(server, "fails", name))

    asyncio.run(scenario())


@pytest.mark.parametrize("name", KINDS)
def test_a_restart_of_the_server(name: str) -> None:
    """The client that was connected speaks again, with no new set-up."""
    answer = asyncio.run(told_over_a_restart("pipecat", lambda server: told(server, "restarts", name)))
    assert answer["turns"] == [TURN_BYTES] * 2
    if name == "rtserver":
        assert not answer["errors"]


def test_our_turn_is_said_again_after_a_restart() -> None:
    """Of one that the old server has taken, and of which nothing was heard, all is heard of the new server."""

    async def scenario() -> None:
        await asyncio.to_thread(environment, "pipecat")  # it may have to be installed first
        engine = NotingEngine(FakeOptions(first_audio_s=600.0))
        async with served(engine, api_keys=[KEY]) as server:
            telling = asyncio.ensure_future(told(server, "speaks", "rtserver"))
            await eventually(lambda: bool(engine.requests) or telling.done(), 60)
        async with served_again(server, api_keys=[KEY]):
            answer = await telling
        assert answer["turns"] == [TURN_BYTES] * 2 and not answer["errors"]

    asyncio.run(scenario())


@pytest.mark.parametrize("name", ["rtserver", "rtserver-sentences", "cartesia-tokens", "elevenlabs"])
def test_an_agent_that_is_interrupted_knows_what_was_heard(name: str) -> None:
    """The context ends with the word of the last sound that was played, or one beside it. Our server says the same."""

    async def scenario() -> Any:
        async with tones() as server:
            answer = (await run_program("pipecat", "pipecat_agent", server.url, "right", name, LONG_TEXT, "2.5")).told
            await eventually(lambda: not server.engine.live)
            return answer

    answer = asyncio.run(scenario())
    played_ms, stalled_ms = answer["played_ms"], answer["stalled_ms"]
    assert 2400 < played_ms < 4000
    assert is_what_was_heard(answer["context"], played_ms, stalled_ms=stalled_ms), answer
    if name.startswith("rtserver"):
        (cancelled,) = answer["cancelled"]
        assert cancelled["heard_from"] == "reported"
        assert is_what_was_heard(cancelled["text_heard"], played_ms, stalled_ms=stalled_ms), answer
