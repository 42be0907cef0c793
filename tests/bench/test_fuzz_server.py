"""The fuzzers of a running server, in small: nothing they send breaks it, and what breaks is found."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from typing import Any

import pytest
from aiohttp import web

from bench.load.attacks.raw_socket import TEXT, frame, open_socket
from bench.load.fuzz_server import fuzz
from bench.load.fuzzing.file_batches import KINDS, FileBatches
from bench.load.fuzzing.found import Found
from bench.load.fuzzing.request_batches import RequestBatches
from bench.load.fuzzing.socket_batches import FORMS, SocketBatches
from rtserver.engine.fake import FakeEngine, FakeOptions
from rtserver.session.session import Session
from tests.rtserver.serving import eventually, served

SETTINGS: dict[str, Any] = {"max_streams": 10_000, "max_batch": 10_000, "admission": False}


@pytest.mark.engine
@pytest.mark.parametrize("form", FORMS)
def test_messages_of_every_form_break_nothing(form: str) -> None:
    """All are answered, and when the sockets are over nothing is held any more."""

    async def scenario() -> None:
        async with served(FakeEngine(FakeOptions(realtime_factor=0)), **SETTINGS) as server:
            port, found = int(server.url.rsplit(":", 1)[1]), Found()
            await fuzz(SocketBatches(port, 3, None, (form,)), 750, found, 3, lambda found: None)
            assert found.problems == [] and found.items == 750
            wrong = found.answers["bad_message"] + found.answers["InvalidParameter"]  # as DashScope says
            assert wrong > 30 and found.answers["overloaded"] < 400
            await eventually(lambda: not server.app.connections and not server.app.accounts.holders)
            assert server.engine.live == 0

    asyncio.run(scenario())


@pytest.mark.engine
def test_hostile_requests_break_nothing() -> None:
    """All that are whole are answered, none with a fault, and nothing is held any more."""

    async def scenario() -> None:
        async with served(FakeEngine(FakeOptions(realtime_factor=0)), **SETTINGS) as server:
            port, found = int(server.url.rsplit(":", 1)[1]), Found()
            await fuzz(RequestBatches(port, 3, None), 500, found, 4, lambda found: None)
            assert found.problems == [] and found.items == 500
            assert sum(n for answer, n in found.answers.items() if answer.startswith("200")) > 5
            await eventually(lambda: not server.app.connections and not server.app.accounts.holders)

    asyncio.run(scenario())


@pytest.mark.engine
def test_hostile_requests_leave_no_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    """When all caches are warm and the ring of traced utterances is full, 300 requests leave fewer objects than that:
    one that stayed would leave dozens."""
    monkeypatch.setattr("rtserver.front.app._TRACED_UTTERANCES", 8)
    requests = 300

    async def scenario() -> None:
        options = FakeOptions(realtime_factor=0, seconds_per_text_id=0.001)
        async with served(FakeEngine(options), **SETTINGS) as server:
            port, left = int(server.url.rsplit(":", 1)[1]), []
            for seed in range(4):
                await fuzz(RequestBatches(port, seed, None), requests, Found(), 4, lambda found: None)
                await eventually(lambda: not server.app.connections and not server.app.accounts.holders)
                gc.collect()
                left.append(len(gc.get_objects()))
            assert left[3] - left[2] < requests, left

    asyncio.run(scenario())


@pytest.mark.engine
def test_changed_files_break_nothing() -> None:
    """Recordings of every kind with changed bytes are spoken or refused."""

    async def scenario() -> None:
        async with served(FakeEngine(FakeOptions(realtime_factor=0)), **SETTINGS) as server:
            found = Found()
            await fuzz(FileBatches(int(server.url.rsplit(":", 1)[1]), 3, None), 60, found, 2, lambda found: None)
            assert found.problems == [] and found.items == 60
            assert {answer.split(":")[0] for answer in found.answers} == set(KINDS)

    asyncio.run(scenario())


def test_a_fault_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that raises is told as a problem, with the batch that repeats it."""

    def broken(*_: object) -> None:
        raise LookupError("broken")

    async def scenario() -> None:
        async with served(FakeEngine(FakeOptions(realtime_factor=0)), **SETTINGS) as server:
            found = Found()
            monkeypatch.setattr(Session, "receive", broken)
            await fuzz(
                SocketBatches(int(server.url.rsplit(":", 1)[1]), 3, None, ("json",)), 20, found, 1, lambda f: None
            )
            assert found.problems[0].startswith("batch 0: json: closed with 1011")

    asyncio.run(scenario())


def test_a_request_without_an_answer_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that answers with a fault, or not at all, is told as a problem."""
    monkeypatch.setattr("bench.load.fuzzing.request_batches.ANSWER_S", 0.05)

    async def answer(request: web.Request) -> web.Response:
        if request.method == "GET":
            await asyncio.sleep(1)
        return web.json_response({"error": {"code": "internal"}}, status=500)

    async def scenario() -> None:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        _, problems = await RequestBatches(runner.addresses[0][1], 3, None).run(0, 150)
        await runner.cleanup()
        assert any("500 internal to request" in problem for problem in problems)
        assert any("no answer within" in problem for problem in problems)

    asyncio.run(scenario())


def test_a_stored_run_goes_on() -> None:
    """Finished batches are not sent again, also when they finished out of order, and their sums stay."""
    sent: list[int] = []

    class Numbers:
        items_per_batch = 10

        async def run(self, batch: int, items: int) -> tuple[Counter[str], list[str]]:
            sent.append(batch)
            return Counter(ok=items), ["wrong"] if batch == 4 else []

    found = Found()
    for batch in (0, 1, 3):
        found.add(batch, 10, Counter(ok=10), [])
    stored = Found.of(found.plain() | {"other": 1})
    assert (stored.next_batch, stored.finished) == (2, {3})
    asyncio.run(fuzz(Numbers(), 45, stored, 2, lambda found: None))
    assert sorted(sent) == [2, 4] and stored.items == stored.answers["ok"] == 45
    assert stored.problems == ["batch 4: wrong"] and (stored.next_batch, stored.finished) == (5, set())


def test_the_raw_socket_hangs_up_in_every_way() -> None:
    """Half, by RST and without a word: each time the session ends, also in mid-frame."""

    async def scenario() -> None:
        async with served() as server:
            port = int(server.url.rsplit(":", 1)[1])
            for how in ("half", "reset", "gone"):
                ws = await open_socket(port, "/v1/speech/realtime")
                assert ws.is_open
                await ws.write(frame(b'{"type":"start"}', TEXT) + frame(b'{"type":"text","text":"x"}', TEXT)[:9])
                assert await ws.synchronised(0.01) is False  # the frame is not whole, so the ping is a part of it
                await eventually(lambda: server.engine.live == 1)
                assert await ws.hang_up(how)
                await eventually(lambda: server.engine.live == 0 and not server.app.connections)

    asyncio.run(scenario())
