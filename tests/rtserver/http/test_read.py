"""`POST /v1/read`: what would be said of a text."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.rtserver.http.http_client import Answer, ask
from tests.rtserver.serving import UNSPOKEN, served


def answered(body: Any, **settings: Any) -> Answer:
    """The answer of a server whose reader gives one clause a word."""

    async def scenario() -> Answer:
        async with served(**settings) as server:
            return await ask(f"{server.url}/v1/read", json=body)

    return asyncio.run(scenario())


def test_a_text_is_told_clause_by_clause() -> None:
    """Each with its place, and what is left out with its own."""
    answer = answered({"text": f"One {UNSPOKEN} two."})
    assert answer.status == 200
    told = answer.json
    assert told["model"] == "nano"
    assert [(c["text"], c["offset"], c["end"], c["ends_sentence"]) for c in told["clauses"]] == [
        ("One", 0, 3, False),
        ("two.", 6, 10, True),
    ]
    assert told["unspoken"] == [{"text": UNSPOKEN, "offset": 4}]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "bad_message"),
        ({"text": 5}, "bad_message"),
        ({"text": "x\0"}, "bad_message"),
        ({"text": "x", "language": "xx"}, "bad_message"),
        ({"text": "x", "speed": 2}, "unknown_field"),
        ({"text": "x" * 20_001}, "text_too_long"),
        ({"text": "x", "lexicon": [{"word": "x"}]}, "bad_message"),
        ({"text": "x", "lexicon": [{"word": "x", "say": "y"}] * 201}, "bad_message"),
    ],
)
def test_what_is_no_such_request_is_refused(body: Any, code: str) -> None:
    """With the codes of speech."""
    answer = answered(body)
    assert (answer.status, answer.json["error"]["code"]) == (400, code)


def test_a_key_must_be_allowed_to_speak() -> None:
    """Where keys are wanted, a request without one is refused."""
    assert answered({"text": "x"}, api_keys=["secret-of-a-tenant-1"]).status == 401
