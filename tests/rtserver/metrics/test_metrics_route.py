"""`/metrics` of the real application: what clients do is there."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from rtserver.engine.fake import FakeEngine, FakeOptions
from tests.rtserver.engine.acoustic.loads import load_of
from tests.rtserver.http.http_client import TEXT, NotingEngine, ask, spoken
from tests.rtserver.metrics.scraped import scrape
from tests.rtserver.serving import UNREADABLE, eventually, served
from tests.rtserver.wire.wire_client import wire_client


def test_utterances_over_http_and_the_wire_are_counted() -> None:
    """Each with its class, its sound, its text ids and the wait for its first sound."""

    async def scenario() -> None:
        async with served(NotingEngine()) as server, wire_client(server.url) as client:
            await spoken(server.url, text=TEXT)
            await spoken(server.url, **{"text": TEXT, "class": "batch"})
            await client.send("start", text="one two", end=True)
            await client.until("done")
            found = await scrape(server)
            assert found.utterances() == (2, 0, 0) and found.utterances("batch") == (1, 0, 0)
            assert found("rt_text_ids_total") == 15 + 15 + 6
            assert found("rt_audio_seconds_total") == pytest.approx(0.06 * 36)
            assert found("rt_speech_tokens_total") == 22 + 22 + 9
            assert found("rt_utterance_audio_seconds_sum", class_="batch") == pytest.approx(0.9)
            assert found("rt_ttfa_seconds_count", class_="realtime") == 2
            assert 0 < found("rt_ttfa_seconds_sum", class_="realtime") < 10
            assert found.refusals() == {}

    asyncio.run(scenario())


def test_the_wait_for_the_first_sound_is_the_listeners() -> None:
    """An engine that needs 0.3 s for its first sound has no TTFA under that, and none over what the client saw."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.0, first_audio_s=0.3))
        async with served(engine) as server, wire_client(server.url) as client:
            loop = asyncio.get_running_loop()
            await client.next()
            begun_s = loop.time()
            await client.send("start", text="one two ")
            await client.until("audio")
            waited_s = loop.time() - begun_s
            found = await scrape(server)
            assert 0.3 <= found("rt_ttfa_seconds_sum", class_="realtime") <= waited_s
            assert found("rt_ttfa_seconds_bucket", class_="realtime", le="0.2") == 0

    asyncio.run(scenario())


def test_who_is_there_now_is_told() -> None:
    """Connections and live utterances rise and fall with the clients; a barge-in is a cancelled utterance."""

    async def scenario() -> None:
        async with served(FakeEngine(FakeOptions(realtime_factor=1.0))) as server:
            async with wire_client(server.url) as one, wire_client(server.url) as other:
                await one.send("start", text="one two three four five six ")
                await one.until("audio")
                await other.next()
                found = await scrape(server)
                assert found("rt_connections") == 2 and found("rt_engine_ready") == 1
                assert found("rt_utterances_live", class_="realtime") == 1
                await one.send("cancel")
                await one.until("cancelled")
                found = await scrape(server)
                assert found("rt_utterances_live", class_="realtime") == 0 and found.utterances() == (0, 0, 1)
                assert found("rt_audio_seconds_total") > 0
            await eventually(lambda: not server.app.connections)
            assert (await scrape(server))("rt_connections") == 0

    asyncio.run(scenario())


def test_a_client_that_hangs_up_has_cancelled() -> None:
    """Its utterance is over and counted, and none is live."""

    async def scenario() -> None:
        async with served(FakeEngine(FakeOptions(realtime_factor=1.0))) as server:
            async with wire_client(server.url) as client:
                await client.send("start", text="one two three four five six ")
                await client.until("audio")
            await eventually(lambda: not server.app.connections)
            found = await scrape(server)
            assert found.utterances() == (0, 0, 1) and found("rt_utterances_live", class_="realtime") == 0

    asyncio.run(scenario())


def test_text_that_cannot_be_read_is_a_failed_utterance() -> None:
    """The reader's fault is not counted as the client's wish."""

    async def scenario() -> None:
        async with served() as server, wire_client(server.url) as client:
            await client.send("start", text="one ")
            await client.until("started")
            await client.send("text", text=f"{UNREADABLE} ")
            await client.until("error")
            found = await scrape(server)
            assert found.utterances() == (0, 1, 0) and found.refusals() == {}

    asyncio.run(scenario())


def test_refused_starts_are_counted_by_reason() -> None:
    """By the engine (an unknown voice) or the session (a bad mode, a name that is taken), over HTTP as on the wire."""

    async def scenario() -> None:
        async with served(NotingEngine()) as server, wire_client(server.url) as client:
            await client.send("start", context="a")
            await client.until("started")
            for fields in ({"context": "a"}, {"context": "b", "voice": "nobody"}, {"context": "c", "mode": "sing"}):
                await client.send("start", **fields)
                await client.until("error")
            answer = await ask(f"{server.url}/v1/tts", json={"text": TEXT, "speaker": "nobody"})
            assert answer.refused == (404, "unknown_voice")
            found = await scrape(server)
            assert found.refusals() == {"context_exists": 1, "unknown_voice": 2, "unknown_mode": 1}
            assert found.utterances() == (0, 0, 0)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"text": 5}, "bad_message"),
        ({"txt": "x"}, "unknown_field"),
        ({"text": "x", "format": "midi"}, "unsupported_format"),
    ],
)
def test_requests_that_are_not_understood_are_counted(fields: dict[str, object], code: str) -> None:
    """With the code of the answer, as a request and on the old server's socket."""

    async def scenario() -> None:
        async with served(NotingEngine()) as server:
            answer = await ask(f"{server.url}/v1/tts", json=fields)
            assert answer.refused == (400, code)
            assert (await scrape(server)).refusals() == {code: 1}
            async with wire_client(server.url, path="/ws/v1/tts") as client:
                await client.ws.send_json(fields)
                assert (await client.ws.receive_json())["error"]["code"] == code
            assert (await scrape(server)).refusals() == {code: 2}

    asyncio.run(scenario())


@pytest.mark.parametrize("share", ["2", "0.000001", "0.0499", "0", "-0.5", "nan", "inf", "half", ""])
def test_a_share_that_is_none_is_a_refusal(share: str) -> None:
    """A socket that asks for a place with a share that cannot be, or that promises next to nothing."""

    async def scenario() -> None:
        async with served() as server, wire_client(server.url, path=f"/v1/realtime?reserve={share}") as client:
            assert (await client.next())["code"] == "bad_message"
            assert (await scrape(server)).refusals() == {"bad_message": 1}

    asyncio.run(scenario())


def test_refused_connections_are_counted_by_reason() -> None:
    """Beyond `max_sockets`, while the server starts and while it stops."""

    async def scenario() -> None:
        async with served(started=False, max_sockets=1) as server:
            assert (await ask(f"{server.url}/v1/tts", json={"text": TEXT})).status == 503
            server.start()
            async with wire_client(server.url) as first, wire_client(server.url) as second:
                await first.next()
                assert (await second.next())["code"] == "overloaded"
            server.app.drain()
            assert (await ask(f"{server.url}/v1/tts", json={"text": TEXT})).status == 503
            assert (await scrape(server)).refusals() == {"overloaded": 1, "engine_lost": 1, "shutting_down": 1}

    asyncio.run(scenario())


def test_a_conversation_without_a_place_is_a_refusal() -> None:
    """A socket that asks for a place that is not there counts as overloaded."""

    async def scenario() -> None:
        engine = FakeEngine()
        engine.load = replace(load_of(1), hops_s=[10.0])  # a hop of a second takes ten
        async with served(engine) as server:
            async with wire_client(server.url, path="/v1/realtime?reserve=1") as client:
                assert (await client.next())["code"] == "overloaded"
            found = await scrape(server)
            assert found.refusals() == {"overloaded": 1}
            assert found("rt_admission_refusals_total", reason="capacity") == 1

    asyncio.run(scenario())


def test_the_figures_want_a_key_that_may_read_them() -> None:
    """Prometheus sends it as a bearer token. A client's key does not. Whoever comes without is counted."""

    async def scenario() -> None:
        async with served(api_keys=["client", "right metrics"]) as server:
            url = f"{server.url}/metrics"
            assert (await ask(url, "GET")).refused == (401, "unauthorized")
            refused = await ask(url, "GET", headers={"Authorization": "Bearer client"})
            assert refused.refused == (401, "unauthorized") and "the scope metrics" in refused.body.decode()
            answer = await ask(url, "GET", headers={"Authorization": "Bearer right"})
            assert answer.status == 200
            assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
            families = {f.name: f for f in text_string_to_metric_families(answer.body.decode())}
            counts = {s.labels["reason"]: s.value for s in families["rt_refusals"].samples}
            assert counts["unauthorized"] == 2

    asyncio.run(scenario())


def test_a_server_that_starts_is_not_ready() -> None:
    """The figures are there before anything can be spoken."""

    async def scenario() -> None:
        async with served(started=False) as server:
            found = await scrape(server)
            assert found("rt_engine_ready") == 0 and found.utterances() == (0, 0, 0)
            assert found("rt_process_resident_bytes", part="front") > 10 << 20

    asyncio.run(scenario())


def test_the_figures_can_only_be_read() -> None:
    """Another method is answered as everywhere."""

    async def scenario() -> None:
        async with served() as server:
            assert (await ask(f"{server.url}/metrics", "DELETE")).refused == (405, "method_not_allowed")

    asyncio.run(scenario())
