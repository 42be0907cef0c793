"""LiveKit's plugins for other makers' protocols with another URL and nothing else, and our own on the native wire."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import pytest

from tests.clients_real.environment import run_program
from tests.clients_real.tones import LONG_TEXT, TURN_BYTES, full, is_what_was_heard, told_over_a_restart, tones
from tests.rtserver.serving import Served, eventually

pytestmark = [pytest.mark.clients, pytest.mark.timeout(900)]

WORDS = [["one", 0.0], ["two", 0.18], ["three", 0.36], ["four", 0.66]]
FRAME = 960  # bytes: a whole text fills up its last frame
MP3_FRAMES = 4 * 1152 * 2


@dataclass(frozen=True)
class Expected:
    """What a plugin tells of its errors, and what it can."""

    # In what it tells of an unknown voice, of a wrong key, and when there is no place.
    unknown: str
    stranger: str = "'status': 401"
    overload: str = "overloaded"
    # Whether it tells the times of words.
    words: bool = False
    # Bytes that a turn may have more.
    more: int = 0
    # Of its sound.
    rate_hz: int = 24000
    # Whether an interruption stops the server at once.
    cancels: bool = False
    # How many requests two turns and a whole text are: one socket for the turns, and one request for the text. None:
    # it has no socket.
    requests: int | None = 2


_DEEPGRAM = Expected("'status': 400")
_OPENAI = Expected("'status': 404", overload="429", more=MP3_FRAMES, requests=None)
PLUGINS = {
    "rtserver": Expected("unknown_voice", words=True, cancels=True, requests=1),
    "deepgram-flux": _DEEPGRAM,
    "deepgram-aura": _DEEPGRAM,
    "cartesia": Expected("voice_not_found", overload="concurrency_limited", words=True),
    "elevenlabs": Expected("'status': 404", overload="system_busy", words=True, more=FRAME, cancels=True),
    "elevenlabs-mp3": Expected("'status': 404", words=True, more=MP3_FRAMES, rate_hz=22050),
    "openai": _OPENAI,
    "openai-events": _OPENAI,
    "baseten": Expected("expected a voice of this server", overload="all are open", words=True, requests=1),
    "inference": Expected("unknown_voice", words=True, requests=1),
}


async def told(server: Served, case: str, name: str, key: str = "right", voice: str = "any") -> Any:
    """What the program tells of a case."""
    return (await run_program("livekit", "livekit_turns", server.url, case, key, voice, name)).told


def check(name: str, turn: dict[str, Any], more: int = 0) -> None:
    """A turn is whole, and has its words."""
    expected = PLUGINS[name]
    size = TURN_BYTES * expected.rate_hz // 24000
    assert size <= turn["bytes"] <= size + max(more, expected.more)
    if expected.words:
        assert [[word, start] for word, start, _ in turn["words"]] == WORDS


@pytest.mark.parametrize("name", PLUGINS)
def test_it_speaks(name: str) -> None:
    """Two turns on one socket, token by token where the plugin can, and a whole text. It leaves nothing open."""

    async def scenario() -> None:
        async with tones() as server:
            answer = await told(server, "speaks", name)
            for turn in answer["turns"]:
                check(name, turn)
            size = TURN_BYTES * PLUGINS[name].rate_hz // 24000
            assert size <= answer["whole"]["bytes"] <= size + max(FRAME, PLUGINS[name].more)
            assert PLUGINS[name].requests in (None, server.requests)
            await eventually(lambda: not server.app.connections)

    asyncio.run(scenario())


@pytest.mark.parametrize("name", [name for name in PLUGINS if name != "elevenlabs-mp3"])
def test_it_interrupts(name: str) -> None:
    """While its text still comes, as an agent does: work ends, and the next turn is whole. One place is enough for a
    plugin that cancels."""

    async def scenario() -> None:
        async with tones(max_streams=1 if PLUGINS[name].cancels else 100) as server:
            answer = await told(server, "interrupts", name)
            check(name, answer["turns"][0])
            if name == "baseten":  # its words come with each second of sound
                spoken_s = answer["before"]["bytes"] / 48000
                assert spoken_s - 1.2 < answer["before"]["words"][-1][2] and (
                    answer["before"]["words"][-1][1] < spoken_s + 0.5
                )
            await eventually(lambda: not server.engine.live and not server.app.connections)

    asyncio.run(scenario())


@pytest.mark.parametrize("name", [name for name in PLUGINS if name != "elevenlabs-mp3"])
def test_it_is_refused(name: str) -> None:
    """An unknown voice and a bad key are errors with our reason or status."""

    async def scenario() -> None:
        async with tones() as server:
            assert PLUGINS[name].unknown in str(await told(server, "fails", name, voice="nobody"))
            assert PLUGINS[name].stranger in str(await told(server, "fails", name, key="wrong"))

    asyncio.run(scenario())


def test_our_errors_say_whether_to_try_again() -> None:
    """An unknown voice is not tried again, a full server is."""

    async def scenario() -> None:
        async with tones() as server:
            unknown = await told(server, "fails", "rtserver", voice="nobody")
            assert (unknown["status"], unknown["retryable"]) == (404, False)
        async with full() as server:
            overload = await told(server, "fails", "rtserver")
            assert (overload["status"], overload["retryable"]) == (429, True)
            assert overload["body"]["code"] == "overloaded"

    asyncio.run(scenario())


@pytest.mark.parametrize("name", [name for name in PLUGINS if name not in ("rtserver", "elevenlabs-mp3")])
def test_an_overload_is_an_error_at_once(name: str) -> None:
    """Agents wait three seconds or more for what does not come."""

    async def scenario() -> None:
        async with full() as server:
            assert PLUGINS[name].overload in str(await told(server, "fails", name))

    asyncio.run(scenario())


@pytest.mark.parametrize("name", [name for name in PLUGINS if name not in ("elevenlabs-mp3", "openai-events")])
def test_a_restart_of_the_server(name: str) -> None:
    """The client that was connected speaks again, with no new set-up."""
    answer = asyncio.run(told_over_a_restart("livekit", lambda server: told(server, "restarts", name)))
    for turn in answer["turns"]:
        check(name, turn)


def test_elevenlabs_lists_the_voices() -> None:
    """All of ours."""

    async def scenario() -> None:
        async with tones() as server:
            assert len(await told(server, "lists", "elevenlabs")) == 4

    asyncio.run(scenario())


@pytest.mark.parametrize(("name", "late_ms"), [("rtserver", 0), ("rtserver-expressive", 0), ("cartesia", 400)])
def test_an_agent_that_is_interrupted_knows_what_was_heard(name: str, late_ms: float) -> None:
    """The context ends with the word of the last sound that was played, or one beside it. Our server says the same.
    Without our plugin LiveKit puts a word into the context up to a third of a second after it sounds. In its expressive
    mode it teaches the model our markup, and tags are neither read nor in the context."""
    text = LONG_TEXT
    if name == "rtserver-expressive":
        text = '<expr type="expression" label="warm surprise"/>' + text

    async def scenario() -> Any:
        async with tones() as server:
            answer = (await run_program("livekit", "livekit_agent", server.url, "right", name, text, "2.5")).told
            await eventually(lambda: not server.engine.live)
            return answer

    answer = asyncio.run(scenario())
    played_ms, stalled_ms = answer["played_ms"], answer["stalled_ms"]
    assert 2400 < played_ms < 4000
    assert is_what_was_heard(answer["context"], played_ms, stalled_ms=stalled_ms, late_ms=late_ms), answer
    assert answer["taught"] == (name == "rtserver-expressive")
    if name.startswith("rtserver"):
        (cancelled,) = answer["cancelled"]
        assert cancelled["heard_from"] == "reported"
        assert is_what_was_heard(cancelled["text_heard"], played_ms, stalled_ms=stalled_ms), answer


def test_what_our_plugin_takes_for_heard() -> None:
    """The words that have begun, spaced as they came. What an agent changes is left as LiveKit notes it."""
    words = [["one", 0.0], [" two", 0.5], [" three", 1.0]]
    cases = [
        ([words, 0.7, "one"], "one two"),
        ([words, 0.3, "one two "], "one"),
        ([words, 0.7, None], "one two"),
        ([words, 9.0, ""], "one two three"),
        ([words, 0.0, ""], ""),
        ([words, 0.7, "ONE"], "ONE"),
        ([[], 0.7, "one"], "one"),
    ]

    async def scenario() -> Any:
        return (await run_program("livekit", "livekit_heard", json.dumps([case for case, _ in cases]))).told

    assert asyncio.run(scenario()) == [expected for _, expected in cases]


def test_our_markup() -> None:
    """What LiveKit teaches models to write becomes the server's tags, wherever it is cut. Nothing of it is read."""
    lowered = {
        'One <expr type="break" label="500ms"/> two.': 'One <break time="500ms"/> two.',
        'One <expr type="break"/> two.': "One <break/> two.",
        '<expr type="prosody" label="slow">One</expr> two.': '<prosody rate="slow">One</prosody> two.',
        '<expr type="prosody" label="loud">One</expr> two.': "One two.",
        'It is <expr type="spell">A7X9</expr>.': 'It is <say-as interpret-as="characters">A7X9</say-as>.',
        '<expr type="expression" label="happy"/>One.': "One.",
        '<expr type="sound" label="laugh">One.': "One.",
        '<expr type="prosody" label="fast">One': '<prosody rate="fast">One</prosody>',
        "One</expr> < two <b>three</b>": "One < two <b>three</b>",
    }

    async def scenario() -> Any:
        return (await run_program("livekit", "livekit_markup", "http://127.0.0.1:9", *lowered)).told

    answer = asyncio.run(scenario())
    assert answer["whole"] == answer["pieces"] == list(lowered.values())
    assert 'type="break"' in answer["taught"]
