"""Messages of very many values are refused before they are decoded."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import msgpack
import pytest

from rtserver.ipc.framing import CODEC
from rtserver.ipc.talker import Tokens
from rtserver.messages import wire
from rtserver.messages.codec import MessageError
from rtserver.messages.values import SMALL, most_values, too_many_values
from tests.rtserver.http.http_client import TEXT, ask
from tests.rtserver.serving import served

TEXT_CHARS = 20_000
MOST = most_values(TEXT_CHARS)
# Each is quick to send, and slow to decode.
MANY: dict[str, Any] = {
    "lists": [[]] * 2 * MOST,
    "objects": [{}] * 2 * MOST,
    "members": {f"{number:x}": 1 for number in range(2 * MOST)},
}
# Where they may be in a message: by path, and what is beside them.
SOCKETS: dict[str, tuple[str, dict[str, Any]]] = {
    "/v1/speech/realtime": ("lexicon", {"type": "start"}),
    "/ws/v1/tts": ("lexicon", {"text": TEXT}),
    "/v1/speak": ("x", {"type": "Speak", "text": TEXT}),
    "/v2/speak": ("x", {"type": "Speak", "text": TEXT}),
    "/v1/audio/speech/stream": ("x", {"type": "input.text", "text": TEXT}),
    "/v1/text-to-speech/default/multi-stream-input": ("pronunciation_dictionary_locators", {"text": TEXT}),
    "/tts/websocket": ("voice", {"transcript": TEXT}),
    "/api-ws/v1/inference": ("payload", {"header": {"action": "run-task", "task_id": "a"}}),
    "/api-ws/v1/realtime": ("x", {"type": "input_text_buffer.append", "text": TEXT}),
    "/tts": ("x", {"type": "input_transcript", "transcript": TEXT}),
}
REQUESTS: dict[str, tuple[str, dict[str, Any]]] = {
    "/v1/tts": ("lexicon", {"text": TEXT}),
    "/v1/read": ("lexicon", {"text": TEXT}),
    "/v1/audio/speech": ("x", {"input": TEXT, "model": "tts-1", "voice": "alloy"}),
    "/v1/speak": ("x", {"text": TEXT}),
    "/v1/text-to-speech/default": ("pronunciation_dictionary_locators", {"text": TEXT}),
    "/tts/bytes": ("voice", {"transcript": TEXT}),
    "/api/v1/services/audio/tts/SpeechSynthesizer": ("x", {"input": {"text": TEXT}}),
    "/inference_sft": ("x", {"tts_text": TEXT}),
}


@pytest.mark.parametrize("letter", [",", "[", "{"])
@pytest.mark.parametrize("as_bytes", [True, False])
def test_commas_and_brackets_are_counted(letter: str, as_bytes: bool) -> None:
    """Exactly, however they are spread; a small message may have any number."""
    for text in (letter * MOST + "x" * SMALL, ("x" * 9 + letter) * MOST):
        good, bad = (text, text + letter) if not as_bytes else (text.encode(), (text + letter).encode())
        assert too_many_values(good, TEXT_CHARS) is None
        assert f"at most {MOST} commas and brackets" in (too_many_values(bad, TEXT_CHARS) or "")
    assert too_many_values(letter * SMALL, TEXT_CHARS) is None


@pytest.mark.parametrize("path", SOCKETS)
def test_no_socket_decodes_them(path: str) -> None:
    """The answer says why. The socket goes on, or is closed where its protocol wants that."""
    field, message = SOCKETS[path]

    async def scenario() -> None:
        async with served() as server, aiohttp.ClientSession() as http, http.ws_connect(server.url + path) as ws:
            await ws.send_str(json.dumps(message | {field: MANY["objects"]}))
            answers = [""]
            while "commas and brackets" not in answers[-1]:
                frame = await ws.receive(10)
                assert frame.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY), answers
                answers.append(str(frame.data))

    asyncio.run(scenario())


@pytest.mark.parametrize(("path", "kind"), [*((path, "objects") for path in REQUESTS), ("/v1/tts", "members")])
def test_no_request_decodes_them(path: str, kind: str) -> None:
    """It is refused as one that is no JSON."""
    field, body = REQUESTS[path]

    async def scenario() -> None:
        async with served() as server:
            answer = await ask(server.url + path, json=body | {field: MANY[kind]})
            assert answer.status in (400, 422) and b"commas and brackets" in answer.body

    asyncio.run(scenario())


def test_a_form_may_have_no_more() -> None:
    """Its fields may hold JSON."""

    async def scenario() -> None:
        async with served() as server:
            form = {"text": TEXT, "lexicon": json.dumps(MANY["lists"])}
            assert b"commas and brackets" in (await ask(f"{server.url}/v1/tts", data=form)).body

    asyncio.run(scenario())


def test_msgpack_is_bounded_by_keys_and_by_bytes() -> None:
    """It has no commas. Whole texts and recordings are no lists."""
    for message, expected in (
        ({"type": "start"} | MANY["members"], "map of at most 64 keys"),
        ({"type": "start", "lexicon": [{}] * 70_000}, "lexicon: expected at most 65536 bytes"),
    ):
        with pytest.raises(MessageError, match=expected):
            wire.CLIENT.from_msgpack(msgpack.packb(message))
    large = {"type": "start", "text": "x" * 100_000, "prompt_audio": bytes(100_000)}
    assert wire.CLIENT.from_msgpack(msgpack.packb(large)) == wire.Start(text="x" * 100_000, prompt_audio=bytes(100_000))


def test_the_servers_own_processes_may_say_more() -> None:
    """They are no strangers."""
    tokens = Tokens("u", 1, [70_000] * 50_000, 0.25)
    assert CODEC.from_msgpack(CODEC.to_msgpack(tokens)) == tokens
