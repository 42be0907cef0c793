"""What takes long to parse is parsed in a thread; JSON with recordings in it one body at a time."""

from __future__ import annotations

import asyncio
import io
import json
import threading
import time
from typing import NoReturn

import pytest

from rtserver.http import body as bodies
from rtserver.session.start_request import RequestError
from tests.rtserver.http.http_client import ask
from tests.rtserver.serving import served


def test_large_bodies_are_parsed_one_at_a_time_and_off_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each thread that works is another one for which the loop's thread waits."""
    at_work, most, threads = 0, 0, set()

    def cut(*_: object, **__: object) -> NoReturn:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        threads.add(threading.current_thread())
        time.sleep(0.002)
        at_work -= 1
        raise RequestError("bad_message", "read")

    monkeypatch.setattr("rtserver.http.body.cut_recordings", cut)

    async def scenario() -> None:
        async with served(message_bytes=2000) as server:
            body = json.dumps({"text": "one", "prompt_audio": "A" * 4000}).encode()
            headers = {"Content-Type": "application/json"}
            asked = [ask(f"{server.url}/v1/tts", data=body, headers=headers) for _ in range(8)]
            assert {answer.refused for answer in await asyncio.gather(*asked)} == {(400, "bad_message")}

    asyncio.run(scenario())
    assert most == 1 and threads and threading.main_thread() not in threads


@pytest.mark.parametrize(("size", "on_the_loop"), [(100, True), (bodies.LARGE_BYTES + 1, False)])
def test_a_large_form_is_parsed_off_the_loop(size: int, on_the_loop: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small one is not: a thread would cost more."""
    threads = []

    def parse(_form: bytes) -> NoReturn:
        threads.append(threading.current_thread())
        raise RequestError("bad_message", "read")

    monkeypatch.setattr(bodies, "urlencoded", parse)

    async def scenario() -> None:
        async with served() as server:
            form = io.BytesIO(b"text=".ljust(size, b"x"))
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            assert (await ask(f"{server.url}/v1/tts", data=form, headers=headers)).status == 400

    asyncio.run(scenario())
    assert (threading.main_thread() in threads) == on_the_loop and len(threads) == 1
