"""The API's own description: what it promises is what the server does, and its page needs no other host."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import msgspec
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from rtserver.engine.fake import FakeOptions
from rtserver.http.docs import document
from rtserver.uploads.errors import UploadError
from rtserver.uploads.worker import DecodeWorkers
from rtserver.wire.tts_v1.openapi import described
from rtserver.wire.tts_v1.request import TtsRequest
from tests.rtserver.http.http_client import TEXT, NotingEngine, ask
from tests.rtserver.serving import Served, eventually, served

pytestmark = pytest.mark.model

AS_DESCRIBED = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = 50
JSON, URLENCODED, MULTIPART = "application/json", "application/x-www-form-urlencoded", "multipart/form-data"
# What breaks a description is made in every form but the one with files, for which schemathesis cannot make any.
MODES = [
    (GenerationMode.POSITIVE, JSON),
    (GenerationMode.POSITIVE, URLENCODED),
    (GenerationMode.POSITIVE, MULTIPART),
    (GenerationMode.NEGATIVE, JSON),
    (GenerationMode.NEGATIVE, URLENCODED),
]
# Fields that any value of their type can have and still be spoken.
FREE = (
    *("instructions", "stream_format", "x_vector_only_mode", "ref_text"),
    *("speed", "seed", "class", "encoding", "target_s", "stream", "instruct_text", "prompt_text"),
)


@contextlib.contextmanager
def in_background(**options: Any) -> Iterator[Served]:
    """The application on a thread of its own: schemathesis waits for its answers."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def enter() -> tuple[contextlib.AsyncExitStack, Served]:
        stack = contextlib.AsyncExitStack()
        # Speech is short: some answers are sent no faster than it is heard.
        engine = NotingEngine(FakeOptions(realtime_factor=0.0, seconds_per_text_id=0.001))
        return stack, await stack.enter_async_context(served(engine, **options))

    try:
        stack, server = asyncio.run_coroutine_threadsafe(enter(), loop).result(30)
        try:
            yield server
        finally:
            asyncio.run_coroutine_threadsafe(stack.aclose(), loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


def described_document(*, keys: bool) -> dict[str, Any]:
    return document([described(keys=keys)], keys=keys)


def operations(server: Served) -> dict[str, APIOperation[Any, Any, Any, Any]]:
    """By operationId; what the document itself says must be valid for that."""
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    schema.validate()
    found = {}
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()
        found[operation.definition.raw["operationId"]] = operation
    return found


def fuzz(
    operation: APIOperation[Any, Any, Any, Any],
    mode: GenerationMode,
    media_type: str,
    body: Callable[[Any], Any] = lambda generated: generated,
) -> Counter[int]:
    """Sends what the mode generates and checks each answer; how often each status came."""
    statuses: Counter[int] = Counter()
    with requests.Session() as session:

        @settings(max_examples=EXAMPLES, deadline=None, database=None, derandomize=True,
                  suppress_health_check=list(HealthCheck))  # fmt: skip
        @given(case=operation.as_strategy(mode, media_type=media_type))
        def check(case: schemathesis.Case[Any]) -> None:
            case.body = body(case.body)
            response = case.call(session=session, timeout=20)
            statuses[response.status_code] += 1
            case.validate_response(response, checks=[not_a_server_error, *AS_DESCRIBED])

        check()
    return statuses


def speakable(generated: dict[str, Any]) -> dict[str, Any]:
    """The generated values of the free fields, and a text."""
    return {name: value for name, value in generated.items() if name in FREE} | {"text": "one"}


async def refused(workers: DecodeWorkers, data: bytes, max_s: float, tenant: str) -> NoReturn:
    """In place of decoding, which another process does: no generated recording is one."""
    raise UploadError("expected sound, found none")


@pytest.mark.parametrize("operation", ["speak", "stream", "speech"])
@pytest.mark.parametrize(("mode", "media_type"), MODES)
def test_any_data_is_answered_as_described(
    operation: str, mode: GenerationMode, media_type: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fits the description and what does not: never a fault, always a described status, type and body."""
    monkeypatch.setattr(DecodeWorkers, "decode", refused)
    with in_background() as server:
        statuses = fuzz(operations(server)[operation], mode, media_type)
        assert statuses.total() >= EXAMPLES // 2 and statuses[400] > 0 and set(statuses) <= {200, 400, 404}
        # Where the answer is events, the tests' client leaves before their end.
        asyncio.run(eventually(lambda: not server.app.connections))


@pytest.mark.parametrize("operation", ["speak", "stream"])
@pytest.mark.parametrize("media_type", [JSON, URLENCODED, MULTIPART])
def test_what_is_described_is_spoken(operation: str, media_type: str) -> None:
    """A text with any described values of the fields that are free is spoken, and the answer is as described."""
    with in_background() as server:
        statuses = fuzz(operations(server)[operation], GenerationMode.POSITIVE, media_type, speakable)
        assert set(statuses) == {200} and statuses.total() >= EXAMPLES // 2
        assert isinstance(server.engine, NotingEngine) and len(server.engine.requests) == statuses.total()


IN_PATHS = {"trace": {"utterance": "u_nobody"}, "model": {"model": "nano"}}


def answers(server: Served, headers: dict[str, str] | None = None) -> dict[str, int]:
    """The status of every operation, each asked once as described; every answer is checked."""
    statuses = {}
    with requests.Session() as session:
        for name, operation in operations(server).items():
            if operation.body:
                case = operation.Case(
                    body={"input" if name == "speech" else "text": TEXT}, media_type="application/json"
                )
            else:
                case = operation.Case(path_parameters=IN_PATHS.get(name, {}))
            response = case.call(session=session, headers=headers, timeout=20)
            case.validate_response(response, checks=AS_DESCRIBED)
            statuses[name] = response.status_code
    return statuses


def test_every_operation_answers_as_described(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the server speaks and while it starts, and to a client without a key where one is wanted."""
    monkeypatch.setattr("rtserver.front.failed_logins.MAX_DELAY_S", 0.0)  # of the answers to who has no key
    lists = ("models", "model", "speech_models")
    names = (
        *(
            "speak",
            "stream",
            "voices",
            "speakers",
            "speech",
            "speech_voices",
            "read",
            "capabilities",
            "health",
            "metrics",
            "live",
            "utterances",
        ),
        *lists,
    )
    unknown = {"trace": 404}  # no utterance has this id
    always = dict.fromkeys([*lists, "live", "metrics", "utterances"], 200)
    with in_background() as server:
        assert answers(server) == dict.fromkeys(names, 200) | unknown
    with in_background(started=False) as server:
        assert answers(server) == dict.fromkeys(names, 503) | always | unknown
    with in_background(api_keys=["right speak,metrics,trace,admin"]) as server:
        assert answers(server) == dict.fromkeys([*names, "trace"], 401) | {"health": 200, "live": 200}
        assert answers(server, {"X-API-Key": "right"}) == dict.fromkeys(names, 200) | unknown


def test_the_description_has_the_fields_that_validate() -> None:
    """It is made from the class that reads requests; a form has the files' names too. Keys are told where there are
    any."""
    schemas = described_document(keys=False)["components"]["schemas"]
    fields = {field.encode_name for field in msgspec.structs.fields(TtsRequest)}
    assert set(schemas["TtsRequest"]["properties"]) == fields and "text" in fields
    assert set(schemas["TtsForm"]["properties"]) == fields | {"prompt_wav", "source_wav"}
    assert schemas["TtsForm"]["properties"]["prompt_audio"]["format"] == "binary"
    assert schemas["TtsRequest"]["additionalProperties"] is False
    assert "security" not in described_document(keys=False)
    assert len(described_document(keys=True)["security"]) == 2


def test_the_page_shows_the_description_offline() -> None:
    """`/docs` and its two files come from here: nothing in the page names another host, and it asks nobody whether the
    description is valid. The description has the version that the page can show."""

    async def scenario() -> None:
        async with served() as server:
            page = await ask(f"{server.url}/docs", "GET")
            text = page.body.decode()
            assert page.status == 200 and page.headers["Content-Type"].startswith("text/html")
            assert "//" not in text and "validatorUrl: null" in text
            linked = re.findall(r'(?:href|src)="([^"]+)"|url: "([^"]+)"', text)
            names = [first or second for first, second in linked]
            assert names == ["docs/swagger-ui.css", "docs/swagger-ui-bundle.js", "openapi.json"]
            kinds = []
            for name in names:
                answer = await ask(f"{server.url}/{name}", "GET")
                assert answer.status == 200 and len(answer.body) > 1000
                kinds.append(answer.headers["Content-Type"].split(";")[0])
            assert kinds[0] == "text/css" and "javascript" in kinds[1] and kinds[2] == "application/json"
            assert answer.json["openapi"].startswith("3.0.")

    asyncio.run(scenario())


@pytest.mark.parametrize("name", ["index.html", "..%2f..%2f__init__.py", "../openapi.json/x", "swagger-ui.css.map", ""])
def test_the_page_has_no_other_files(name: str) -> None:
    """Whatever else is asked for below `/docs/` is not there."""

    async def scenario() -> None:
        async with served() as server:
            assert (await ask(f"{server.url}/docs/{name}", "GET")).refused == (404, "not_found")

    asyncio.run(scenario())
