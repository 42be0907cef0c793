"""Calls against the real application with the tone engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from bench.load.calls.callers import Callers, Load, Turns
from bench.load.calls.measuring import Measuring, by_language, measure, settled, voices_of, warm_up
from bench.load.calls.plan import Call, Loop, Plan, Workload
from bench.load.server_process import ServerProcess
from bench.load.turn import texts
from rtserver.engine.fake import FakeEngine
from tests.bench.engines import FailingEngine, at_once, unhurried
from tests.bench.loads import call, planned
from tests.rtserver.serving import served

# They hear what is spoken, which takes as long as the speech.
pytestmark = pytest.mark.engine

SHORT = planned("Yes.", think_s=0.01)
LONG = planned("Nobody expected the small team to win the game.")
ENDLESS = planned("Nobody expected the small team to win the game. " * 9)


def plan_of(loop: Loop, *calls: Call, seconds: float = 1.0) -> Plan:
    return Plan(loop, len(calls), Workload(warm_up_s=0.0, seconds=seconds), calls)


def carried_out(plan: Plan, engine: Callable[[], FakeEngine] = at_once, drain_s: float = 5.0, sockets: int = 9) -> Load:
    """A plan, against a server of its own."""

    async def scenario() -> Load:
        async with served(engine(), max_sockets=sockets) as server:
            return await Callers(plan, server.url, None).run(drain_s)

    return asyncio.run(scenario())


def outcomes(load: Load) -> list[tuple[int, int, str]]:
    return [(heard.call, heard.turn, heard.outcome) for heard in load.heard]


def test_a_call_speaks_turn_after_turn_over_one_socket() -> None:
    """Each when the one before was heard; only the first has the time of connecting."""
    load = carried_out(plan_of("open", call(SHORT, SHORT), seconds=1.5))
    assert outcomes(load) == [(0, 0, "done"), (0, 1, "done")]
    first, second = load.heard
    assert first.connect_s is not None and second.connect_s is None
    assert second.begun_s >= first.begun_s + first.audio_s + SHORT.think_s
    assert load.audio_s == pytest.approx(first.audio_s + second.audio_s) and load.late_frames == 0


def test_no_turn_begins_after_the_end() -> None:
    """A call that still speaks then is waited for."""
    load = carried_out(plan_of("open", call(LONG, SHORT), seconds=1.0))
    assert outcomes(load) == [(0, 0, "done")]


def test_what_speaks_for_too_long_is_cut() -> None:
    """After the time to drain; what it had heard by then counts."""
    load = carried_out(plan_of("open", call(ENDLESS), seconds=1.0), unhurried, drain_s=0.1)
    assert outcomes(load) == [(0, 0, "cut")] and load.heard[0].audio_s > 0


def test_a_refused_caller_hangs_up() -> None:
    """In the open loop, when it was the first turn."""
    load = carried_out(plan_of("open", call(SHORT, SHORT)), lambda: FailingEngine("overloaded", times=9))
    assert outcomes(load) == [(0, 0, "refused")]


def test_a_refused_talker_tries_the_turn_again() -> None:
    """In the closed loop, when it has thought."""
    load = carried_out(plan_of("closed", call(SHORT, LONG), seconds=1.5), lambda: FailingEngine("overloaded", times=2))
    assert outcomes(load)[:4] == [(0, 0, "refused"), (0, 0, "refused"), (0, 0, "done"), (0, 1, "done")]


def test_a_talker_goes_on_to_the_end() -> None:
    """Its turns begin again when they are through."""
    load = carried_out(plan_of("closed", call(SHORT), seconds=1.5))
    assert len(load.heard) > 1 and {heard.turn for heard in load.heard} == {0}
    turns = Turns((SHORT, LONG), endless=True)
    seen = []
    for _ in range(3):
        seen.append(turns.current)
        turns.advance()
    assert seen == [(0, SHORT), (1, LONG), (0, SHORT)]


def test_a_server_without_room_for_the_socket_refuses() -> None:
    """As it does a turn; a talker comes again."""
    load = carried_out(
        plan_of("open", call(ENDLESS, at_s=0.0), call(SHORT, at_s=0.7), seconds=1.0), unhurried, 0.0, sockets=1
    )
    assert outcomes(load) == [(0, 0, "cut"), (1, 0, "refused")]
    assert load.heard[1].answer_s is not None and load.heard[1].connect_s is None


def test_a_server_that_is_not_there_fails_turns() -> None:
    """Rather than the whole run."""
    plan = plan_of("open", call(SHORT), seconds=0.1)
    load = asyncio.run(measure(ServerProcess("http://127.0.0.1:9"), plan, Measuring(drain_s=1.0)))
    assert load.server_lag_ms is None
    assert outcomes(load) == [(0, 0, "failed")] and "no connection" in (load.heard[0].error or "")


def test_measuring_adds_what_the_machine_did() -> None:
    """The client's processor time and lag, the server's lag; its processes are not known here."""

    async def scenario() -> None:
        async with served(at_once()) as app:
            server = ServerProcess(app.url)
            load = await measure(server, plan_of("open", call(SHORT), seconds=1.0), Measuring(drain_s=1.0))
            await settled(server)
        assert outcomes(load) == [(0, 0, "done")] and set(load.cpu_cores) == {"client"}
        assert load.server_lag_ms is not None and load.client_lag_ms > 0 and load.memory.mib == {}

    asyncio.run(scenario())


def test_voices_are_asked_for_and_warmed_up() -> None:
    """Each once in each of its languages, the tone engine's in both."""

    async def scenario() -> None:
        engine = FailingEngine("internal", times=0)
        async with served(engine) as app:
            server = ServerProcess(app.url)
            voices = await voices_of(server, ["en", "zh"], None)
            assert voices == {"en": list(engine.options.voices), "zh": list(engine.options.voices)}
            await warm_up(server, {"en": voices["en"][:1], "zh": voices["zh"][:2]}, None)
        assert engine.opened == 3

    asyncio.run(scenario())


def test_voices_speak_their_own_language() -> None:
    """One whose language is not known speaks any; without any, the server chooses."""
    entries: list[dict[str, str | None]] = [{"name": "a", "language": "en"}, {"name": "b", "language": "zh"}]
    entries.append({"name": "c", "language": None})
    assert by_language(entries, ["en", "zh"]) == {"en": ["a", "c"], "zh": ["b", "c"]}
    assert by_language(entries[:1], ["zh"]) == {"zh": ["default"]}


@pytest.mark.parametrize("name", ["english_short", "mandarin_short", "english_replies", "mandarin_replies"])
def test_texts_have_no_empty_lines(name: str) -> None:
    """Nor the same line twice."""
    lines = texts(name)
    assert all(line == line.strip() and line for line in lines) and len(set(lines)) == len(lines) >= 12
