"""DashScope's socket of CosyVoice."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rtserver.engine.fake import FakeEngine, FakeOptions
from rtserver.wire.dashscope.dialect import TaskDialect
from tests.rtserver.http.http_client import SAMPLES, TEXT, NotingEngine
from tests.rtserver.serving import UNREADABLE, eventually, served
from tests.rtserver.wire.dashscope_client import PATH, dashscope_client

LONG = "abcdefgh " * 40


def slow() -> FakeEngine:
    """Its tones take time, so that there is something to interrupt."""
    return FakeEngine(FakeOptions(realtime_factor=0.3))


@pytest.mark.parametrize("path", [PATH, f"{PATH}/"])
def test_two_tasks_on_a_socket(path: str) -> None:
    """task-started first; each frame of sound after its event; usage at the end, and the socket stays open."""

    async def scenario() -> None:
        async with served() as server, dashscope_client(server, path) as client:
            for task in ("5f0c", "2bf83b9a-baeb-4fda-8d9a-03dc9ee8d66e"):
                client.sound, client.events = b"", []
                await client.run(task)
                assert await client.next() == {"event": "task-started", "task_id": task, "attributes": {}}
                await client.say("one", " two", " three", " four", task=task)
                await client.send("finish-task", task)
                told = await client.until("task-finished")
                assert (told["task_id"], told["output"]) == (task, {})
                assert told["usage"] == {"characters": len(TEXT)} and told["attributes"]["request_uuid"]
                assert len(client.sound) == 2 * SAMPLES
                events = client.events[1:]
                assert (events[0], events[-2]) == ("sentence-begin", "sentence-end")
                middle = events[1:-2]
                assert middle[::2] == ["sentence-synthesis"] * (len(middle) // 2)
                assert middle[1::2] == ["sound"] * (len(middle) // 2) and middle

    asyncio.run(scenario())


def test_sentences_and_their_words() -> None:
    """Numbered from 0, with their text, and word times where they are wanted; Han characters count as two."""

    async def scenario() -> None:
        async with served() as server, dashscope_client(server) as client:
            await client.run(word_timestamp_enabled=True)
            await client.say("one two. ", "你好。 more")
            await client.send("finish-task")
            first, second, third, last = await client.all("sentence-end")
            assert [one["output"]["original_text"] for one in (first, second, third)] == [
                "one two.",
                " 你好。",
                " more",
            ]
            assert [one["output"]["sentence"]["index"] for one in (first, second, third)] == [0, 1, 2]
            assert first["output"]["sentence"]["words"] == [
                {"text": "one", "begin_index": 0, "end_index": 3, "begin_time": 0, "end_time": 180},
                {"text": "two.", "begin_index": 4, "end_index": 8, "begin_time": 180, "end_time": 420},
            ]
            assert [word["text"] for word in second["output"]["sentence"]["words"]] == ["你", "好。"]
            assert second["output"]["sentence"]["words"][0]["begin_index"] == 1
            assert [one["usage"]["characters"] for one in (first, second, third, last)] == [8, 14, 19, 19]
            await client.run("u")
            await client.say("one two.", task="u")
            await client.send("finish-task", "u")
            assert (await client.until("sentence-end"))["output"]["sentence"]["words"] == []

    asyncio.run(scenario())


def test_a_flush_speaks_what_has_come() -> None:
    """The task stays open, and its next sentence begins with the next text."""

    async def scenario() -> None:
        async with served() as server, dashscope_client(server) as client:
            await client.run()
            await client.say("one two")
            await client.send("continue-task", flush=True)
            assert (await client.until("sentence-end"))["output"]["original_text"] == "one two"
            await client.say("three")
            await client.send("finish-task")
            end, _ = await client.all("sentence-end")
            assert (end["output"]["original_text"], end["output"]["sentence"]["index"]) == ("three", 1)

    asyncio.run(scenario())


def test_a_cancel_ends_the_work() -> None:
    """task-finished at once, and what the client sent before it knew is ignored; the next task is whole."""

    async def scenario() -> None:
        engine = slow()
        async with served(engine) as server, dashscope_client(server) as client:
            await client.run()
            await client.say(LONG)
            await client.until("sound")
            await client.send("finish-task", directive="cancel")
            await client.until("task-finished")
            await client.say(LONG)
            await eventually(lambda: not engine.live)
            client.sound = b""
            await client.run("u")
            assert (await client.next())["event"] == "task-started"
            await client.say(TEXT, task="u")
            await client.send("finish-task", "u")
            await client.until("task-finished")
            assert len(client.sound) == 2 * SAMPLES

    asyncio.run(scenario())


def test_a_task_without_words_is_finished() -> None:
    """At its end, or when it is cancelled."""

    async def scenario() -> None:
        async with served() as server, dashscope_client(server) as client:
            for task, given in (("a", {}), ("b", {"directive": "cancel"})):
                await client.run(task)
                await client.say(" ", task=task)
                await client.send("continue-task", task, flush=True)
                await client.send("finish-task", task, **given)
                assert (await client.until("task-finished"))["usage"] == {"characters": 0}
            assert not client.sound

    asyncio.run(scenario())


def test_text_in_the_first_message() -> None:
    """As clients without `duplex` send it."""

    async def scenario() -> None:
        async with served() as server, dashscope_client(server) as client:
            header = {"action": "run-task", "task_id": "t", "streaming": "out"}
            payload = {"input": {"text": TEXT}, "parameters": {"format": "pcm", "sample_rate": 24000}}
            await client.ws.send_json({"header": header, "payload": payload})
            await client.until("task-finished")
            assert len(client.sound) == 2 * SAMPLES

    asyncio.run(scenario())


def test_what_is_asked_for_reaches_the_engine() -> None:
    """Voice, speed, seed and instruction; a seed of 0 is none."""

    async def scenario() -> None:
        engine = NotingEngine()
        async with served(engine) as server, dashscope_client(server) as client:
            asked: list[dict[str, Any]] = [
                {"voice": "longanyang", "rate": 1.5, "seed": 7, "language_hints": ["zh"]},
                {"voice": "longxiaochun_v2", "instruction": "calmly"},
                {"voice": "英文男", "hot_fix": {"pronunciation": [{"草地": "cao3 di4"}], "replace": [{"a": "b"}]}},
            ]
            for parameters in asked:
                await client.run(**parameters)
                await client.say("one.")
                await client.send("finish-task")
                await client.until("task-finished")
        assert [(one.voice, one.speed, one.mode, one.instruct_text) for one in engine.requests] == [
            ("male", 1.5, "sft", ""), ("female", 1.0, "instruct", "calmly"), ("英文男", 1.0, "sft", ""),
        ]  # fmt: skip
        assert engine.requests[0].seed == 7 and engine.requests[1].seed != 0

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("changed", "begins"),
    [
        ({"format": "Default", "sample_rate": 0}, b"\xff"),
        ({"format": "mp3", "sample_rate": 22050}, b"\xff"),
        ({"format": "wav", "sample_rate": 16000}, b"RIFF"),
        ({"format": "opus", "sample_rate": 0, "bit_rate": 32}, b"OggS"),
    ],
)
def test_formats(changed: dict[str, Any], begins: bytes) -> None:
    """The client sends Default and a rate of 0 when it is told nothing: that is MP3."""

    async def scenario() -> None:
        async with served() as server, dashscope_client(server) as client:
            await client.run(**changed)
            await client.say(TEXT)
            await client.send("finish-task")
            await client.until("task-finished")
            assert client.sound.startswith(begins) and len(client.sound) > 1000

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("changed", "text", "code"),
    [
        ({"voice": "nobody"}, TEXT, "InvalidParameter"),
        ({"format": "vorbis"}, TEXT, "InvalidParameter"),
        ({"sample_rate": 7}, TEXT, "InvalidParameter"),
        ({"rate": 9}, TEXT, "InvalidParameter"),
        ({"hot_fix": {"pronunciation": [{"a": "not pinyin at all!"}]}}, TEXT, "InvalidParameter"),
        ({}, "a" * 20_001, "InvalidParameter"),
        ({}, UNREADABLE, "InternalError"),
        ({"volume": "loud", "voice": 7}, TEXT, "InvalidParameter"),
    ],
)
def test_a_task_that_fails(changed: dict[str, Any], text: str, code: str) -> None:
    """task-failed with a reason, then the socket closes."""

    async def scenario() -> None:
        async with served() as server, dashscope_client(server) as client:
            await client.run(**changed)
            await client.say(text)
            await client.send("finish-task")
            told = await client.until("task-failed")
            assert told["error_code"] == code and told["error_message"]
            assert told["task_id"] == ("" if "volume" in changed else "t")
            if changed.get("voice") == "nobody":
                assert told["error_message"].startswith("[tts:]Engine return error code: 418")
            while (told := await client.next())["event"] != "closed":
                assert told["event"] == "task-failed"

    asyncio.run(scenario())


def test_one_task_at_a_time() -> None:
    """A second one, and text of an unknown one, fail; the task that runs goes on."""

    async def scenario() -> None:
        async with served() as server, dashscope_client(server) as client:
            await client.run("a")
            await client.run("b")
            assert (await client.until("task-failed"))["task_id"] == "b"
            await client.say(TEXT, task="c")
            assert (await client.until("task-failed"))["task_id"] == "c"
            await client.say(TEXT, task="a")
            await client.send("finish-task", "a")
            await client.until("task-finished")
            assert len(client.sound) == 2 * SAMPLES

    asyncio.run(scenario())


def test_a_socket_without_a_task_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a word. The client's pool leaves its idle sockets open for ever."""
    assert TaskDialect.idle_s == 60
    monkeypatch.setattr(TaskDialect, "idle_s", 0.1)

    async def scenario() -> None:
        async with served() as server, dashscope_client(server) as client:
            assert await client.next() == {"event": "closed", "code": 1000}

    asyncio.run(scenario())


def test_keys_and_overload() -> None:
    """A wrong key is refused in the handshake; without a place a task fails at once."""

    async def scenario() -> None:
        async with served(slow(), api_keys=["right"], max_streams=1) as server:
            with pytest.raises(Exception, match="401"):
                async with dashscope_client(server, headers={"Authorization": "Bearer wrong"}):
                    pass
            headers = {"Authorization": "bearer right"}
            async with (
                dashscope_client(server, headers=headers) as one,
                dashscope_client(server, headers=headers) as two,
            ):
                await one.run()
                await one.say(LONG)
                await one.until("sound")
                await two.run()
                await two.say(LONG)
                assert (await two.until("task-failed"))["error_code"] == "Throttling.RateQuota"

    asyncio.run(scenario())
